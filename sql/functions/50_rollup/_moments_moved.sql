-- The change of one metric's sums in experiment_moments when units go from (old_d, old_m) to (old_d + d, old_m + m), as columns.
-- Called by _moved_part(), through _each_metric().
-- Costs nothing: a constant. Most products fit into bigints, whose sums are fast; the others are taken as numerics.
create or replace function awf._moments_moved(p_d text, p_m text, p_number text)
returns text
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_fits constant text := 'c.old_{m} + abs(c.{m}) < 1000000000 and c.old_{d} + abs(c.{d}) < 1000000000';
    v_sum constant text := 'coalesce(sum(%1$s) filter (where ' || v_fits || '), 0) + coalesce(sum(%2$s) filter (where not (' || v_fits || ')), 0)';
    v_columns constant text := concat_ws(
        ', ',
        'sum((c.old_{d} + c.{d} > 0)::integer - (c.old_{d} > 0)::integer) as units_{n}', 'sum(c.{d}) as d_{n}', 'sum(c.{m}) as m_{n}',
        format(v_sum, 'c.{d} * (2 * c.old_{d} + c.{d})', 'c.{d}::numeric * (2 * c.old_{d} + c.{d})') || ' as dd_{n}',
        format(
            v_sum, 'c.old_{d} * c.{m} + c.{d} * (c.old_{m} + c.{m})', 'c.old_{d}::numeric * c.{m} + c.{d}::numeric * (c.old_{m} + c.{m})'
        ) || ' as dm_{n}',
        format(v_sum, 'c.{m} * (2 * c.old_{m} + c.{m})', 'c.{m}::numeric * (2 * c.old_{m} + c.{m})') || ' as mm_{n}'
    );
begin
    return replace(replace(replace(v_columns, '{d}', p_d), '{m}', p_m), '{n}', p_number);
end;
$$;
comment on function awf._moments_moved(text, text, text) is
'SQL expressions over rows c (old_d, old_m, d, m under the names given): the change of units, sum_d, sum_m, sum_dd, sum_dm and sum_mm.';
