-- The lock under which partitions of turn_events go.
-- Called by apply_retention().
-- Held (ACCESS EXCLUSIVE) until the transaction ends; gives up after half a second, because everybody queues behind who waits.
create or replace function awf._try_events_lock()
returns boolean
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set lock_timeout = '500ms'
as $$
begin
    lock table only awf.turn_events in access exclusive mode;
    return true;
exception
    when lock_not_available or deadlock_detected then
        return false;
end;
$$;
comment on function awf._try_events_lock() is 'True when this transaction holds turn_events alone.';
