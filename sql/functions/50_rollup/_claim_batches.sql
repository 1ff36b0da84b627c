-- Takes batches that are not yet rolled up, marks them, and names the ranges of numbers in which they lie.
-- Called by refresh_rollups().
-- Locks the log rows of the claim.
create or replace function awf._claim_batches(p_refresh_id bigint, p_max_batches integer)
returns table (day date, low bigint, high bigint, batches bigint)
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
    -- Numbers that lie close together are one range; a straggler from long ago gets a range of its own.
    return query
    with steps as (
        select
            l.day, l.batch_id,
            (l.batch_id - lag(l.batch_id, 1, l.batch_id) over (partition by l.day order by l.batch_id) > 1000)::integer as gap
        from awf.ingest_log as l
        where l.refresh_id = p_refresh_id
    ),

    ranges as (
        select s.day, s.batch_id, sum(s.gap) over (partition by s.day order by s.batch_id) as range_number
        from steps as s
    )

    select r.day, min(r.batch_id), max(r.batch_id), count(*)
    from ranges as r
    group by r.day, r.range_number
    order by r.day, r.range_number;
end;
$$;
comment on function awf._claim_batches(bigint, integer) is 'Marks waiting batches as rolled up by this refresh; returns their days and ranges of numbers.';
