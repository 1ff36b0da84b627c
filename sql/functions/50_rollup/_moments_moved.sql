-- The change of the sums of experiment_moments when units go from (old_d, old_m) to (old_d + d, old_m + m).
-- Called by _moved_part().
-- Costs nothing: a constant. Most products fit into bigints, whose sums are fast; the others are taken as numerics.
create or replace function awf._moments_moved()
returns text
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_sum constant text :=
        'coalesce(sum(%1$s) filter (where %2$s), 0) + coalesce(sum((%3$s)) filter (where not (%2$s)), 0)';
    v_fits constant text := 'v.old_m + abs(v.m) < 1000000000 and v.old_d + abs(v.d) < 1000000000';
begin
    return concat_ws(
        ', ',
        'sum((v.old_d + v.d > 0)::integer - (v.old_d > 0)::integer)',
        'sum(v.d)', 'sum(v.m)',
        format(v_sum, 'v.d * (2 * v.old_d + v.d)', v_fits, 'v.d::numeric * (2 * v.old_d + v.d)'),
        format(v_sum, 'v.old_d * v.m + v.d * (v.old_m + v.m)', v_fits, 'v.old_d::numeric * v.m + v.d::numeric * (v.old_m + v.m)'),
        format(v_sum, 'v.m * (2 * v.old_m + v.m)', v_fits, 'v.m::numeric * (2 * v.old_m + v.m)')
    );
end;
$$;
comment on function awf._moments_moved() is
'SQL expressions over rows (old_d, old_m, d, m): the change of units, sum_d, sum_m, sum_dd, sum_dm and sum_mm.';
