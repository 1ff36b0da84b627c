-- The parts of a statement that add rows to the totals of units, or take them away, and move the moments along.
-- Called by _units_part() and _erase_units().
-- Costs two index lookups a unit; the moments follow from the changed units alone.
create or replace function awf._moved_part(p_units text)
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    -- A sum of bigints is a numeric, which takes ten times as long; doubles add whole numbers exactly up to 2^53.
    v_sums constant text := awf._unit_sums('sum(u.%1$s::double precision)::bigint as %1$s');
begin
    -- In one statement unit_totals is read as it was before: what a unit had, and what comes to it.
    return format(
        $sql$
        moved as materialized (
            select u.variation_id, u.unit_id, u.day, u.world_id, u.locale_id, u.player_hash, %2$s
            from (%1$s) as u
            group by u.variation_id, u.unit_id, u.day, u.world_id, u.locale_id, u.player_hash
        ),

        units as (
            insert into awf.unit_totals as d (variation_id, unit_id, day, world_id, locale_id, player_hash, %3$s)
            select m.* from moved as m where %5$s
            on conflict (variation_id, unit_id, day, world_id, locale_id, player_hash) do update set %4$s
        ),

        changed as materialized (
            select a.*, o.*, %7$s as is_small
            from (select u.variation_id, u.unit_id, %2$s from moved as u group by u.variation_id, u.unit_id) as a
            cross join lateral (
                select %6$s
                from (
                    select u.* from awf.unit_totals as u where u.variation_id = a.variation_id and u.unit_id = a.unit_id offset 0
                ) as u
            ) as o
        ),

        -- Most products fit into bigints, which are quick; the others are taken as numerics.
        moves as (
            select c.variation_id, %8$s from changed as c where c.is_small group by c.variation_id
            union all
            select c.variation_id, %9$s from changed as c where not c.is_small group by c.variation_id
        ),

        moments as (
            insert into awf.experiment_moments as x (variation_id, metric_id, units, sum_d, sum_m, sum_dd, sum_dm, sum_mm)
            select w.variation_id, v.metric_id, sum(v.units), sum(v.d), sum(v.m), sum(v.dd), sum(v.dm), sum(v.mm)
            from moves as w
            cross join lateral (values %10$s) as v (metric_id, units, d, m, dd, dm, mm)
            where v.units <> 0 or v.d <> 0 or v.m <> 0
            group by w.variation_id, v.metric_id
            on conflict (variation_id, metric_id) do update set
                units = x.units + excluded.units, sum_d = x.sum_d + excluded.sum_d, sum_m = x.sum_m + excluded.sum_m,
                sum_dd = x.sum_dd + excluded.sum_dd, sum_dm = x.sum_dm + excluded.sum_dm, sum_mm = x.sum_mm + excluded.sum_mm
        )
        $sql$,
        p_units, v_sums, awf._unit_sums('%1$s'), awf._unit_sums('%1$s = d.%1$s + excluded.%1$s'), awf._unit_sums('m.%1$s <> 0', ' or '),
        awf._unit_sums('coalesce(sum(u.%1$s::double precision)::bigint, 0) as old_%1$s'),
        awf._unit_sums('o.old_%1$s + abs(a.%1$s) < 1000000000', ' and '), awf._all_moments_moved('bigint'), awf._all_moments_moved('numeric'),
        '(0, w.units_0, w.d_0, w.m_0, w.dd_0, w.dm_0, w.mm_0), '
        || awf._each_metric('(%2$s, w.units_%2$s, w.d_%2$s, w.m_%2$s, w.dd_%2$s, w.dm_%2$s, w.mm_%2$s)')
    );
end;
$$;
comment on function awf._moved_part(text) is
'Common table expressions that merge a query into unit_totals (columns as there, with what is to be added), and the change of the units''
sums into experiment_moments.';
