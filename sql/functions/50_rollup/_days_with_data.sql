-- The days of a range that have rollups or events.
-- Called by backfill() and the report's notice.
-- Costs a scan of the catalogue and of an index.
create or replace function awf._days_with_data(p_from date, p_to date)
returns table (day date)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select d.day from awf.daily_totals as d where d.day between p_from and p_to
    union
    select p.day
    from pg_catalog.pg_inherits as i
    inner join pg_catalog.pg_class as c on i.inhrelid = c.oid
    -- The planner may ask this of other tables' names first.
    cross join lateral (
        select case when c.relname ~ '^turn_events_[0-9]{8}$' then to_date(right(c.relname, 8), 'YYYYMMDD') end as day
    ) as p
    where i.inhparent = 'awf.turn_events'::regclass and p.day between p_from and p_to
    order by 1;
end;
$$;
comment on function awf._days_with_data(date, date) is 'Days (UTC) of the range that have daily totals or a partition of events, in order.';
