-- The partition of turn_events that has this name and is attached.
-- Called by _ensure_partition() and the rollups.
-- Costs one catalogue lookup.
create or replace function awf._partition_of(p_name text)
returns regclass
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select i.inhrelid::regclass
        from pg_catalog.pg_inherits as i
        where i.inhrelid = to_regclass(format('awf.%I', p_name)) and i.inhparent = 'awf.turn_events'::regclass
    );
end;
$$;
comment on function awf._partition_of(text) is 'The attached partition of that name; NULL when there is none.';
