-- The table of a day's events, attached or not.
-- Called by whatever archives and restores.
-- Costs one catalogue lookup.
create or replace function awf._table_of_day(p_day date)
returns regclass
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return to_regclass('awf.' || awf._partition_name(p_day));
end;
$$;
comment on function awf._table_of_day(date) is 'The table that holds the events of a day (UTC), attached to turn_events or not; NULL when there is none.';
