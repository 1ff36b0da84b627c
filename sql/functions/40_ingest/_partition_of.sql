-- The partition of turn_events that has this name and is attached.
-- Called by _ensure_partition() and the rollups.
-- Costs one catalogue lookup.
create or replace function awf._partition_of(p_name text)
returns regclass
language sql
stable
parallel safe
-- Not by a query on pg_inherits: a REPEATABLE READ transaction would not see what was attached since it began.
return case
    when pg_partition_root(to_regclass(format('awf.%I', p_name))) = to_regclass('awf.turn_events')
        then to_regclass(format('awf.%I', p_name))
end;
comment on function awf._partition_of(text) is 'The attached partition of that name; NULL when there is none.';
