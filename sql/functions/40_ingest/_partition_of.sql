-- The partition of turn_events of a day, if it is there and attached.
-- Called by _ensure_partition() and the rollups.
-- Costs one catalogue lookup.
create or replace function awf._partition_of(p_day date)
returns regclass
language sql
stable
parallel safe
-- Not by a query on pg_inherits: a REPEATABLE READ transaction would not see what was attached since it began.
return case
    when pg_partition_root(to_regclass('awf.' || awf._partition_name(p_day))) = to_regclass('awf.turn_events')
        then to_regclass('awf.' || awf._partition_name(p_day))
end;
comment on function awf._partition_of(date) is 'The attached partition of a day (UTC); NULL when there is none.';
