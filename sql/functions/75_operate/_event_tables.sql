-- The tables that hold events, a day each: the partitions of turn_events, and what was detached from it.
-- Called by apply_retention() and storage_report().
-- Costs a scan of the catalogue.
create or replace function awf._event_tables()
returns table (day date, relation regclass, attached boolean)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select to_date(right(c.relname, 8), 'YYYYMMDD'), c.oid::regclass, true
    from pg_catalog.pg_inherits as i
    inner join pg_catalog.pg_class as c on i.inhrelid = c.oid
    where i.inhparent = to_regclass('awf.turn_events')
    union all
    select d.day, to_regclass(format('awf.turn_events_%s', to_char(d.day, 'YYYYMMDD'))), false
    from awf.event_days as d
    where d.state = 'detached';
end;
$$;
comment on function awf._event_tables() is 'Tables of events by day (UTC): attached partitions, and tables of days that event_days knows as detached.';
