-- The table of a day that was detached and not dropped.
-- Called by _detach_day(), _drop_day() and whatever reads detached days.
-- Costs two lookups.
create or replace function awf._detached_table(p_day date)
returns regclass
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select awf._table_of_day(d.day)
        from awf.event_days as d
        where d.day = p_day and d.state = 'detached'
    );
end;
$$;
comment on function awf._detached_table(date) is 'The detached table of a day (UTC); NULL when there is none.';
