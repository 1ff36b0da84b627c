-- Counts the events of batches: by the log where it tells, else (single events) in the partition of their day.
-- Called by analytics_stats() and _events_per_minute().
-- Costs an index lookup a batch; for single events a scan of the part of a day that has these numbers.
create or replace function awf._logged_events(p_batches bigint[])
returns bigint
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_events bigint;
    v_day record;
begin
    select coalesce(sum(l.rows), 0) into v_events from awf.ingest_log as l where l.batch_id = any (p_batches);
    for v_day in
        select l.day, array_agg(l.batch_id) as batches, min(l.batch_id) as low, max(l.batch_id) as high
        from awf.ingest_log as l
        where l.batch_id = any (p_batches) and l.rows is null
        group by l.day
    loop
        v_events := v_events + (
            select count(*)
            from awf.turn_events as e
            where e.ts >= v_day.day::timestamp at time zone 'UTC' and e.ts < (v_day.day + 1)::timestamp at time zone 'UTC'
                and e.batch_id between v_day.low and v_day.high and e.batch_id = any (v_day.batches)
        );
    end loop;
    return v_events;
end;
$$;
comment on function awf._logged_events(bigint[]) is 'Events of the batches, as announced (direct), stored (careful) or counted (single events).';
