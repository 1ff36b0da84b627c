-- How many events came in a minute, of late.
-- Called by analytics_stats().
-- Costs a look at the log of these minutes, and a scan of the newest events where single ones were recorded.
create or replace function awf._events_per_minute(p_minutes integer)
returns numeric
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_end constant timestamptz := date_trunc('minute', awf._now());
begin
    return trim_scale(round(
        awf._logged_events(array(
            select l.batch_id
            from awf.ingest_log as l
            where l.opened_at >= v_end - p_minutes * interval '1 minute' and l.opened_at < v_end
        ))::numeric / p_minutes, 1
    ));
end;
$$;
comment on function awf._events_per_minute(integer) is 'Mean of the last whole minutes, by when their batches were opened.';
