-- The parts of a statement that add up events e by each grain of the additive totals, and merge them.
-- Called by _merge_events().
-- Costs one hash aggregate over the events; the groups are few. Locks the rows that change.
create or replace function awf._totals_part()
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- First by all dimensions together, then those groups by each grain, and only what is left is spread over its variations
    -- (0: every turn once; a number that no variation has counts for none). What a grain does not ask for is NULL.
    return format(
        $sql$
        coarse as (
            select
                (e.day_at at time zone 'UTC')::date as day, e.assignments, e.world_id, e.locale_id, e.adventure_id,
                coalesce(e.model_id, 0) as model_id,
                date_bin('1 hour', e.ts, '2000-01-01 00:00:00+00') as hour,
                count(*) as n0, count(*) filter (where e.failed) as s0, min(e.failed::integer) as a0, max(e.failed::integer) as z0, %1$s
            from e
            group by
                e.day_at, e.assignments, e.world_id, e.locale_id, e.adventure_id, coalesce(e.model_id, 0),
                date_bin('1 hour', e.ts, '2000-01-01 00:00:00+00')
        ),

        grains as (
            select
                g.day, g.assignments, g.world_id, g.locale_id, g.adventure_id, g.model_id, g.hour,
                sum(g.n0) as n0, sum(g.s0) as s0, sum(g.s0) as q0, min(g.a0) as a0, max(g.z0) as z0, %2$s
            from coarse as g
            group by grouping sets (
                (g.day, g.assignments, g.world_id, g.locale_id), (g.day, g.assignments, g.adventure_id), (g.day, g.assignments, g.model_id),
                (g.assignments, g.locale_id, g.hour), (g.day, g.assignments, g.locale_id)
            )
        ),

        totals as materialized (
            select
                v.variation_id, t.day, t.world_id, t.locale_id, t.adventure_id, t.model_id, t.hour, m.metric_id,
                sum(m.n)::bigint as n, sum(m.s)::numeric as sum, sum(m.q)::numeric as sum_squares, min(m.a)::bigint as min, max(m.z)::bigint as max
            from grains as t
            cross join lateral (
                select 0 as variation_id union select i.id from awf.variation_ids as i where i.id = any (t.assignments)
            ) as v
            cross join lateral (values (0, t.n0, t.s0, t.q0, t.a0, t.z0), %3$s) as m (metric_id, n, s, q, a, z)
            where m.n > 0
            group by v.variation_id, t.day, t.world_id, t.locale_id, t.adventure_id, t.model_id, t.hour, m.metric_id
        ),

        daily as (
            insert into awf.daily_totals as d (variation_id, day, world_id, locale_id, metric_id, n, sum, sum_squares, min, max)
            select a.variation_id, a.day, a.world_id, a.locale_id, a.metric_id, a.n, a.sum, a.sum_squares, a.min, a.max
            from totals as a
            where a.world_id is not null
            on conflict (variation_id, day, world_id, locale_id, metric_id) do update set %4$s
        ),

        by_dimension as (
            insert into awf.dimension_totals as d (variation_id, day, kind, dimension_id, metric_id, n, sum, sum_squares, min, max)
            select
                a.variation_id, a.day, case when a.adventure_id is null then 'model' else 'adventure' end,
                coalesce(a.adventure_id, a.model_id), a.metric_id, a.n, a.sum, a.sum_squares, a.min, a.max
            from totals as a
            where a.adventure_id is not null or a.model_id is not null
            on conflict (variation_id, day, kind, dimension_id, metric_id) do update set %4$s
        ),

        hourly as (
            insert into awf.hourly_totals as d (variation_id, hour, locale_id, metric_id, n, sum, sum_squares, min, max)
            select a.variation_id, a.hour, a.locale_id, a.metric_id, a.n, a.sum, a.sum_squares, a.min, a.max
            from totals as a
            where a.hour is not null
            on conflict (variation_id, hour, locale_id, metric_id) do update set %4$s
        ),

        by_locale as (
            insert into awf.locale_totals as d (variation_id, period, start, locale_id, metric_id, n, sum, sum_squares, min, max)
            select
                a.variation_id, p.period, p.start, a.locale_id, a.metric_id,
                sum(a.n)::bigint, sum(a.sum), sum(a.sum_squares), min(a.min), max(a.max)
            from totals as a
            cross join lateral (
                values ('day', a.day), ('month', date_trunc('month', a.day)::date), ('run', '-infinity'::date)
            ) as p (period, start)
            where a.day is not null and a.locale_id is not null and a.world_id is null
            group by a.variation_id, p.period, p.start, a.locale_id, a.metric_id
            on conflict (variation_id, period, start, locale_id, metric_id) do update set %4$s
        )
        $sql$,
        awf._each_metric(
            'count(e.%1$s) as n%2$s, sum(e.%1$s) as s%2$s, sum(e.%1$s::bigint * e.%1$s) as q%2$s, min(e.%1$s) as a%2$s, max(e.%1$s) as z%2$s'
        ),
        awf._each_metric('sum(g.n%2$s) as n%2$s, sum(g.s%2$s) as s%2$s, sum(g.q%2$s) as q%2$s, min(g.a%2$s) as a%2$s, max(g.z%2$s) as z%2$s'),
        awf._each_metric('(%2$s, t.n%2$s, t.s%2$s, t.q%2$s, t.a%2$s, t.z%2$s)'),
        'n = d.n + excluded.n, sum = d.sum + excluded.sum, sum_squares = d.sum_squares + excluded.sum_squares, '
        'min = least(d.min, excluded.min), max = greatest(d.max, excluded.max)'
    );
end;
$$;
comment on function awf._totals_part() is
'Common table expressions that merge the events e into daily_totals, dimension_totals, hourly_totals and locale_totals.';
