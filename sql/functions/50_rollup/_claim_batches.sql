-- Takes batches that are not yet rolled up, marks them, and names the events that they brought.
-- Called by refresh_rollups().
-- Locks the log rows of the claim.
create or replace function awf._claim_batches(p_refresh_id bigint, p_max_batches integer)
returns table (first_day date, last_day date, days date[], batches bigint, condition text)
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
    -- Days that lie close together are read at once, but not so many that their partitions would be planned for long. Numbers that lie
    -- close together are one range; a straggler from long ago gets a range of its own. Where every number of a range is claimed the
    -- range says it all, else a list of them; + 0, because the index would be asked for each number of the list. Numbers as subqueries,
    -- because statistics would say that there are none that are so new.
    return query
    with claimed as (
        select l.day, l.batch_id, row_number() over (order by l.batch_id) as place from awf.ingest_log as l where l.refresh_id = p_refresh_id
    ),

    spans as (
        select d.day, d.day - min(d.day) over (partition by d.jumps) as place, d.jumps
        from (
            select g.day, sum(g.jump) over (order by g.day) as jumps
            from (
                select c.day, (c.day - lag(c.day, 1, c.day) over (order by c.day) > 7)::integer as jump from claimed as c group by c.day
            ) as g
        ) as d
    ),

    steps as (
        select
            c.*, s.jumps, s.place / 62 as part,
            (c.batch_id - lag(c.batch_id, 1, c.batch_id) over (partition by s.jumps, s.place / 62 order by c.batch_id) > 1000)::integer as gap
        from claimed as c
        inner join spans as s on c.day = s.day
    ),

    ranges as (
        select
            r.jumps, r.part, r.range_number, array_agg(distinct r.day) as days, count(*) as batches,
            format('e.batch_id between (select %s) and (select %s)', min(r.batch_id), max(r.batch_id))
            || case
                when max(r.batch_id) - min(r.batch_id) = max(r.place) - min(r.place) then ''
                else format(' and e.batch_id + 0 = any (%L)', array_agg(r.batch_id))
            end as condition
        from (
            select s.*, sum(s.gap) over (partition by s.jumps, s.part order by s.batch_id) as range_number from steps as s
        ) as r
        group by r.jumps, r.part, r.range_number
    )

    select
        min(d.day), max(d.day), array_agg(distinct d.day), sum(r.batches) filter (where d.place = 1)::bigint,
        string_agg(r.condition, ' or ') filter (where d.place = 1)
    from ranges as r
    cross join lateral unnest(r.days) with ordinality as d (day, place)
    group by r.jumps, r.part
    order by 1;
end;
$$;
comment on function awf._claim_batches(bigint, integer) is
'Marks waiting batches as rolled up by this refresh; returns a row for each span of days that lie close together: its days, how many
batches, and the SQL condition on turn_events as e that selects their events.';
