-- Takes batches that are not yet rolled up, marks them, and names the events that they brought.
-- Called by refresh_rollups().
-- Locks the log rows of the claim.
create or replace function awf._claim_batches(p_refresh_id bigint, p_max_batches integer)
returns table (day date, batches bigint, condition text)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    -- A batch is seen when its transaction has committed, so no slow writer is ever passed over.
    update awf.ingest_log as l set rolled_up_at = clock_timestamp(), refresh_id = p_refresh_id
    where l.batch_id in (
        select w.batch_id from awf.ingest_log as w where w.rolled_up_at is null order by w.batch_id limit p_max_batches
    );
    -- Numbers that lie close together are one range; a straggler from long ago gets a range of its own. Where every number of a range
    -- is claimed the range says it all, else a list of them; + 0, because the index would be asked for each number of the list.
    return query
    with claimed as (
        select l.day, l.batch_id, row_number() over (order by l.batch_id) as place from awf.ingest_log as l where l.refresh_id = p_refresh_id
    ),

    steps as (
        select c.*, (c.batch_id - lag(c.batch_id, 1, c.batch_id) over (partition by c.day order by c.batch_id) > 1000)::integer as gap
        from claimed as c
    ),

    ranges as (
        select s.*, sum(s.gap) over (partition by s.day order by s.batch_id) as range_number from steps as s
    )

    select
        r.day, count(*),
        format('e.batch_id between %s and %s', min(r.batch_id), max(r.batch_id))
        || case
            when max(r.batch_id) - min(r.batch_id) = max(r.place) - min(r.place) then ''
            else format(' and e.batch_id + 0 = any (%L)', array_agg(r.batch_id))
        end
    from ranges as r
    group by r.day, r.range_number
    order by r.day, r.range_number;
end;
$$;
comment on function awf._claim_batches(bigint, integer) is
'Marks waiting batches as rolled up by this refresh; returns a row for each day and range of numbers: how many batches, and the SQL
condition on turn_events as e that selects their events.';
