-- The parts of a statement that add rows to the totals of units and players, or take them away, and move the moments along.
-- Called by _units_part() and _erase_units(). Costs a few index lookups a row; the moments follow from the changed units alone.
create or replace function awf._moved_part(p_units text, p_players text)
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
            select u.variation_id, u.unit_id, u.day, u.world_id, u.locale_id, u.player_hash, %3$s
            from (%1$s) as u
            group by u.variation_id, u.unit_id, u.day, u.world_id, u.locale_id, u.player_hash
        ),

        units as (
            insert into awf.unit_totals as d (variation_id, unit_id, day, world_id, locale_id, player_hash, %4$s)
            select m.* from moved as m where %6$s
            on conflict (variation_id, unit_id, day, world_id, locale_id, player_hash) do update set %5$s
        ),

        players as (
            insert into awf.player_days as d (player_hash, day, %4$s)
            select m.* from (select u.player_hash, u.day, %3$s from (%2$s) as u group by u.player_hash, u.day) as m where %6$s
            on conflict (player_hash, day) do update set %5$s
        ),

        changed as (
            select a.*, o.*
            from (select u.variation_id, u.unit_id, %3$s from moved as u group by u.variation_id, u.unit_id) as a
            cross join lateral (
                select %7$s from awf.unit_totals as u where u.variation_id = a.variation_id and u.unit_id = a.unit_id
            ) as o
        ),

        moments as (
            insert into awf.experiment_moments as x (variation_id, metric_id, units, sum_d, sum_m, sum_dd, sum_dm, sum_mm)
            select w.variation_id, v.*
            from (select c.variation_id, %8$s from changed as c group by c.variation_id) as w
            cross join lateral (values %9$s) as v (metric_id, units, d, m, dd, dm, mm)
            where v.units <> 0 or v.d <> 0 or v.m <> 0
            on conflict (variation_id, metric_id) do update set
                units = x.units + excluded.units, sum_d = x.sum_d + excluded.sum_d, sum_m = x.sum_m + excluded.sum_m,
                sum_dd = x.sum_dd + excluded.sum_dd, sum_dm = x.sum_dm + excluded.sum_dm, sum_mm = x.sum_mm + excluded.sum_mm
        )
        $sql$,
        p_units, p_players, v_sums, awf._unit_sums('%1$s'), awf._unit_sums('%1$s = d.%1$s + excluded.%1$s'),
        awf._unit_sums('m.%1$s <> 0', ' or '),
        awf._unit_sums('coalesce(sum(u.%1$s::double precision)::bigint, 0) as old_%1$s'),
        awf._moments_moved('turns', 'failed_turns', '0')
        || ', ' || awf._each_metric(awf._moments_moved('%1$s_count', '%1$s_sum', '%2$s')),
        '(0, w.units_0, w.d_0, w.m_0, w.dd_0, w.dm_0, w.mm_0), '
        || awf._each_metric('(%2$s, w.units_%2$s, w.d_%2$s, w.m_%2$s, w.dd_%2$s, w.dm_%2$s, w.mm_%2$s)')
    );
end;
$$;
comment on function awf._moved_part(text, text) is
'Common table expressions that merge two queries into unit_totals and player_days (columns as there, with what is to be added), and
the change of the units'' sums into experiment_moments.';
