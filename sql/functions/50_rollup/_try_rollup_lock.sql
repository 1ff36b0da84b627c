-- The lock that refresh and recompute share: one of them at a time.
-- Called by refresh_rollups() and _complete_rollups().
-- Held until the transaction ends.
create or replace function awf._try_rollup_lock(p_wait boolean)
returns boolean
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_wait then
        perform from awf.locks as l where l.name = 'rollups' for update;
    else
        perform from awf.locks as l where l.name = 'rollups' for update skip locked;
    end if;
    return found;
end;
$$;
comment on function awf._try_rollup_lock(boolean) is 'True when this transaction holds the rollup lock; waits for it if asked to.';
