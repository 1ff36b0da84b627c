-- Adds up the events of one day that a condition selects, at each grain of the additive rollups: the one place where events become totals.
-- Called by _add_totals().
-- Costs one scan of the selected events and one hash aggregate; the groups it makes are few.
create or replace function awf._totals_of(p_day date, p_condition text)
returns table (
    variation_id integer, world_id integer, locale_id integer, adventure_id integer, model_id integer, hour timestamptz,
    metric_id integer, n bigint, sum numeric, sum_squares numeric, min bigint, max bigint
)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- The condition is made by the callers from numbers and quoted literals.
    -- @plpgsql_check_options: security_warnings = off, extra_warnings = off
    -- First by all dimensions together, then those groups by each grain, and only what is left is spread over its variations
    -- (0: every turn once). What a grain does not ask for is NULL.
    return query execute format(
        $sql$
        with g as (
            select
                e.assignments, e.world_id, e.locale_id, e.adventure_id, coalesce(e.model_id, 0) as model_id,
                date_trunc('hour', e.ts, 'UTC') as hour,
                count(*) as n0, count(*) filter (where e.failed) as s0, min(e.failed::integer) as a0, max(e.failed::integer) as z0, %s
            from awf.turn_events as e
            where %s and (%s)
            group by e.assignments, e.world_id, e.locale_id, e.adventure_id, coalesce(e.model_id, 0), date_trunc('hour', e.ts, 'UTC')
        ),

        t as (
            select
                g.assignments, g.world_id, g.locale_id, g.adventure_id, g.model_id, g.hour,
                sum(g.n0) as n0, sum(g.s0) as s0, sum(g.s0) as q0, min(g.a0) as a0, max(g.z0) as z0, %s
            from g
            group by grouping sets (
                (g.assignments, g.world_id, g.locale_id), (g.assignments, g.adventure_id), (g.assignments, g.model_id),
                (g.assignments, g.locale_id, g.hour)
            )
        )

        select
            v.variation_id, t.world_id, t.locale_id, t.adventure_id, t.model_id, t.hour, m.metric_id,
            sum(m.n)::bigint, sum(m.s)::numeric, sum(m.q)::numeric, min(m.a)::bigint, max(m.z)::bigint
        from t
        cross join lateral (
            select 0 as variation_id
            union
            -- A number that no variation has counts for none.
            select i.id from awf.variation_ids as i where i.id = any (t.assignments)
        ) as v
        cross join lateral (values (0, t.n0, t.s0, t.q0, t.a0, t.z0), %s) as m (metric_id, n, s, q, a, z)
        where m.n > 0
        group by v.variation_id, t.world_id, t.locale_id, t.adventure_id, t.model_id, t.hour, m.metric_id
        $sql$,
        awf._each_metric(
            'count(e.%1$s) as n%2$s, sum(e.%1$s) as s%2$s, sum(e.%1$s::bigint * e.%1$s) as q%2$s, min(e.%1$s) as a%2$s, max(e.%1$s) as z%2$s'
        ),
        awf._day_of_events(p_day), p_condition,
        awf._each_metric('sum(g.n%2$s) as n%2$s, sum(g.s%2$s) as s%2$s, sum(g.q%2$s) as q%2$s, min(g.a%2$s) as a%2$s, max(g.z%2$s) as z%2$s'),
        awf._each_metric('(%2$s, t.n%2$s, t.s%2$s, t.q%2$s, t.a%2$s, t.z%2$s)')
    );
end;
$$;
comment on function awf._totals_of(date, text) is
'Totals (as in daily_totals) of the events of a day (UTC) that the SQL condition on alias e selects: by world and locale, by adventure, by
model, and by hour and locale.';
