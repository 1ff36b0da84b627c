-- The newest event.
-- Called by analytics_stats().
-- Costs a scan of the newest partition that has one.
create or replace function awf._last_event_at()
returns timestamptz
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_partition regclass;
    v_last timestamptz;
begin
    for v_partition in
        select c.oid::regclass
        from pg_catalog.pg_inherits as i
        inner join pg_catalog.pg_class as c on i.inhrelid = c.oid
        where i.inhparent = 'awf.turn_events'::regclass
        order by c.relname desc
    loop
        execute format('select max(ts) from %s', v_partition) into v_last;
        exit when v_last is not null;
    end loop;
    return v_last;
end;
$$;
comment on function awf._last_event_at() is 'ts of the newest stored event; NULL when there is none.';
