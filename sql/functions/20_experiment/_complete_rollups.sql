-- Adds every event that is there to the rollups, so that exposures are complete.
-- Called by open_phase().
-- Waits for the rollup lock and keeps it until the transaction ends; costs in proportion to the waiting events.
create or replace function awf._complete_rollups()
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_batches integer := 1;
begin
    perform awf._try_rollup_lock(true);
    while v_batches > 0 loop
        select r.batches into v_batches from awf.refresh_rollups() as r;
    end loop;
end;
$$;
comment on function awf._complete_rollups() is 'Runs refresh_rollups() until nothing is left.';
