-- Makes the partition of a day that has none.
-- Called by _ensure_partition() and ensure_partitions(), which hold turn_events in ROW EXCLUSIVE mode.
-- Waits for whoever makes or detaches a partition; see _make_partition().
create or replace function awf._add_partition(p_day date)
returns regclass
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform from awf.locks as l where l.name = 'partitions' for update;
    if awf._partition_of(p_day) is null then
        perform awf._require_day_present(p_day);
        perform awf._make_partition(p_day);
    end if;
    return awf._partition_of(p_day);
end;
$$;
comment on function awf._add_partition(date) is
'Makes and returns the partition of a day (UTC), or the one that another session has made; raises WF301 for a day that is gone.';
