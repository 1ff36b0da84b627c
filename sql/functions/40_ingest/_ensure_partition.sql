-- The partition of a day, made where it is missing.
-- Called by whatever stores events, before the first row.
-- Costs a lock and a catalogue lookup; see _make_partition(). No day is detached until the transaction ends.
create or replace function awf._ensure_partition(p_day date)
returns regclass
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_partition regclass;
begin
    -- A batch that is open when its day is detached would be lost to the rollups: who detaches waits for this lock.
    lock table only awf.turn_events in row exclusive mode;
    v_partition := awf._partition_of(p_day);
    if v_partition is null then
        perform awf._check_window(p_day);
        v_partition := awf._add_partition(p_day);
    end if;
    return v_partition;
end;
$$;
comment on function awf._ensure_partition(date) is
'The partition of turn_events for a day (UTC), made if need be; raises WF203 for a day outside the accepted window and WF301 for one
whose events have left the database.';
