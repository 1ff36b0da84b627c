-- The parts of a statement that add rows to the totals of units, or take them away, and move the moments along.
-- Called by _units_part() and _erase_units().
-- Costs two index lookups a unit, one where it is new; the moments follow from the changed units alone.
create or replace function awf._moved_part(p_units text, p_newcomers text default null)
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    c_newcomers constant text := coalesce(p_newcomers, 'select null::integer as variation_id, null::text as unit_id where false');
    c_sums constant text := awf._unit_sums('awf._sum(u.%1$s) as %1$s');
    c_columns constant text := 'variation_id, unit_id, day, world_id, locale_id, player_hash, ' || awf._unit_sums('%1$s');
begin
    -- In one statement unit_totals is read as it was before: what a unit had, and what comes to it.
    return format(
        $sql$
        moved as materialized (
            select g.*, n.unit_id is not null as is_new
            from (
                select u.variation_id, u.unit_id, u.day, u.world_id, u.locale_id, u.player_hash, %2$s
                from (%1$s) as u
                group by u.variation_id, u.unit_id, u.day, u.world_id, u.locale_id, u.player_hash
            ) as g
            left join (%3$s) as n on g.variation_id = n.variation_id and g.unit_id = n.unit_id
        ),

        -- Where there can be no conflict it is quicker not to ask for one, and in the order of the index pages are met but once.
        new_units as (
            insert into awf.unit_totals (%4$s) select %4$s from moved as m where m.is_new order by m.variation_id, m.unit_id
        ),

        units as (
            insert into awf.unit_totals as d (%4$s)
            select %4$s from moved as m where not m.is_new and (%6$s)
            on conflict (variation_id, unit_id, day, world_id, locale_id, player_hash) do update set %5$s
        ),

        added as materialized (
            select u.variation_id, u.unit_id, u.is_new, %2$s from moved as u group by u.variation_id, u.unit_id, u.is_new
        ),

        changed as materialized (
            select a.*, o.*, %8$s as is_small
            from added as a
            cross join lateral (
                select %7$s
                from (
                    select u.* from awf.unit_totals as u where u.variation_id = a.variation_id and u.unit_id = a.unit_id offset 0
                ) as u
            ) as o
            where not a.is_new
        ),

        -- Most products fit into bigints, which are quick; the others are taken as numerics.
        moves as (
            select c.variation_id, %9$s from added as c where c.is_new group by c.variation_id
            union all
            select c.variation_id, %10$s from changed as c where c.is_small group by c.variation_id
            union all
            select c.variation_id, %11$s from changed as c where not c.is_small group by c.variation_id
        ),

        moments as (
            insert into awf.experiment_moments as x (variation_id, metric_id, units, sum_d, sum_m, sum_dd, sum_dm, sum_mm)
            select w.variation_id, v.metric_id, sum(v.units), sum(v.d), sum(v.m), sum(v.dd), sum(v.dm), sum(v.mm)
            from moves as w
            cross join lateral (values %12$s) as v (metric_id, units, d, m, dd, dm, mm)
            where v.units <> 0 or v.d <> 0 or v.m <> 0
            group by w.variation_id, v.metric_id
            on conflict (variation_id, metric_id) do update set
                units = x.units + excluded.units, sum_d = x.sum_d + excluded.sum_d, sum_m = x.sum_m + excluded.sum_m,
                sum_dd = x.sum_dd + excluded.sum_dd, sum_dm = x.sum_dm + excluded.sum_dm, sum_mm = x.sum_mm + excluded.sum_mm
        )
        $sql$,
        p_units, c_sums, c_newcomers, c_columns, awf._unit_sums('%1$s = d.%1$s + excluded.%1$s'), awf._unit_sums('m.%1$s <> 0', ' or '),
        awf._unit_sums('coalesce(awf._sum(u.%1$s), 0) as old_%1$s'), awf._unit_sums('o.old_%1$s + abs(a.%1$s) < 1000000000', ' and '),
        awf._all_moments_moved('bigint', true), awf._all_moments_moved('bigint', false), awf._all_moments_moved('numeric', false),
        '(0, w.units_0, w.d_0, w.m_0, w.dd_0, w.dm_0, w.mm_0), '
        || awf._each_metric('(%2$s, w.units_%2$s, w.d_%2$s, w.m_%2$s, w.dd_%2$s, w.dm_%2$s, w.mm_%2$s)')
    );
end;
$$;
comment on function awf._moved_part(text, text) is
'Common table expressions that merge the query p_units into unit_totals (columns as there, with what is to be added), and the change of the
units'' sums into experiment_moments. The query p_newcomers names units (variation_id, unit_id) that have no totals yet, and whose
products have to fit into bigints.';
