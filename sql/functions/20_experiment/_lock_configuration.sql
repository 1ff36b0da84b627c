-- Makes whoever changes experiments or layers wait for the one before, and see what that one did.
-- Called first by every function that changes them.
-- Locks one row of locks until the transaction ends.
create or replace function awf._lock_configuration()
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform from awf.locks as l where l.name = 'configuration' for update;
end;
$$;
comment on function awf._lock_configuration() is 'Waits for the lock of the configuration and keeps it.';
