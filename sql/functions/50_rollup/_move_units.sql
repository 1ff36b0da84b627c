-- Adds rows to the totals of units and players, below zero where something is taken away, and moves the moments along.
-- Called by _add_units() and _erase_units().
-- Costs a few index lookups a row; the moments follow from the changed units alone.
create or replace function awf._move_units(p_cells text, p_units text, p_players text)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    -- A sum of bigints is a numeric, which takes ten times as long; doubles add whole numbers exactly up to 2^53.
    v_sums constant text := awf._unit_sums('sum(u.%1$s::double precision)::bigint as %1$s');
    v_names constant text := awf._unit_sums('%1$s');
    v_merge constant text := awf._unit_sums('%1$s = d.%1$s + excluded.%1$s');
begin
    -- The queries are made by the callers from numbers and quoted literals.
    -- @plpgsql_check_options: security_warnings = off
    -- One statement, so that unit_totals is read as it was before: what a unit had, and what comes to it.
    execute format(
        $sql$
        with cells as materialized (%1$s),

        moved as materialized (
            select u.variation_id, u.unit_id, u.day, u.world_id, u.locale_id, u.player_hash, %4$s
            from (%2$s) as u
            group by u.variation_id, u.unit_id, u.day, u.world_id, u.locale_id, u.player_hash
        ),

        units as (
            insert into awf.unit_totals as d (variation_id, unit_id, day, world_id, locale_id, player_hash, %5$s)
            select m.* from moved as m where (%7$s) <> (%8$s)
            on conflict (variation_id, unit_id, day, world_id, locale_id, player_hash) do update set %6$s
        ),

        players as (
            insert into awf.player_days as d (player_hash, day, %5$s)
            select m.* from (select u.player_hash, u.day, %4$s from (%3$s) as u group by u.player_hash, u.day) as m
            where (%7$s) <> (%8$s)
            on conflict (player_hash, day) do update set %6$s
        ),

        added as (
            select u.variation_id, u.unit_id, %4$s from moved as u group by u.variation_id, u.unit_id
        ),

        changed as (
            select a.*, o.*
            from added as a
            cross join lateral (
                select %9$s from awf.unit_totals as u where u.variation_id = a.variation_id and u.unit_id = a.unit_id
            ) as o
        )

        insert into awf.experiment_moments as x (variation_id, metric_id, units, sum_d, sum_m, sum_dd, sum_dm, sum_mm)
        select c.variation_id, v.metric_id, %10$s
        from changed as c
        cross join lateral (
            values (0, c.old_turns, c.old_failed_turns, c.turns, c.failed_turns), %11$s
        ) as v (metric_id, old_d, old_m, d, m)
        where v.d <> 0 or v.m <> 0
        group by c.variation_id, v.metric_id
        on conflict (variation_id, metric_id) do update set
            units = x.units + excluded.units, sum_d = x.sum_d + excluded.sum_d, sum_m = x.sum_m + excluded.sum_m,
            sum_dd = x.sum_dd + excluded.sum_dd, sum_dm = x.sum_dm + excluded.sum_dm, sum_mm = x.sum_mm + excluded.sum_mm
        $sql$,
        p_cells, p_units, p_players, v_sums, v_names, v_merge,
        awf._unit_sums('m.%1$s'), regexp_replace(awf._unit_sums('%1$s'), '\w+', '0', 'g'),
        awf._unit_sums('coalesce(sum(u.%1$s::double precision)::bigint, 0) as old_%1$s'),
        awf._moments_moved(),
        awf._each_metric('(%2$s, c.old_%1$s_count, c.old_%1$s_sum, c.%1$s_count, c.%1$s_sum)')
    );
end;
$$;
comment on function awf._move_units(text, text, text) is
'Merges two queries into unit_totals and player_days (columns as there, day and totals to add), and the change of the units'' sums into
experiment_moments. p_cells is a query that both may name as cells.';
