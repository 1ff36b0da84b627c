-- Takes away moments that have no unit left.
-- Called where units may have gone: after an erasure or a recompute.
-- Costs a scan of two small tables.
create or replace function awf._drop_empty_moments()
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from awf.experiment_moments as m where m.units = 0;
    delete from awf.history_moments as m where m.units = 0;
end;
$$;
comment on function awf._drop_empty_moments() is 'Deletes rows of experiment_moments and history_moments without units.';
