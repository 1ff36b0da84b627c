-- Deletes rows of unit_totals, and takes them out of the moments.
-- Called by _erase_units() and _erase_exposures().
-- Costs a scan of unit_totals and an index lookup a unit.
create or replace function awf._subtract_units(p_condition text)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set jit = 'off'
as $$
begin
    -- @plpgsql_check_options: security_warnings = off
    execute format(
        'with %s select',
        awf._moved_part(
            format(
                'select t.variation_id, t.unit_id, t.day, t.world_id, t.locale_id, t.player_hash, %s from awf.unit_totals as t where %s',
                awf._unit_sums('-t.%1$s as %1$s'), p_condition
            )
        )
    );
    execute format('delete from awf.unit_totals as t where %s', p_condition);
    perform awf._drop_empty_moments();
end;
$$;
comment on function awf._subtract_units(text) is
'Erases the rows of unit_totals, alias t, that the SQL condition selects, and moves experiment_moments along.';
