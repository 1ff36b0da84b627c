-- Adds up the events of one day that a condition selects: the one place where events become totals.
-- Called by _add_totals() and _recompute_day().
-- Costs one scan of the selected events and one hash aggregate.
create or replace function awf._totals_of(p_day date, p_condition text)
returns table (
    variation_id integer, world_id integer, locale_id integer, metric_id integer,
    n bigint, sum numeric, sum_squares numeric, min bigint, max bigint
)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
begin
    -- The condition is made by the callers from numbers alone.
    -- @plpgsql_check_options: security_warnings = off, extra_warnings = off
    -- Literal bounds, so that one partition is scanned. Grouped by the whole list of assignments first: there are few lists,
    -- and only the groups are spread over their variations (0: every turn once).
    return query execute format(
        $sql$
        with g as (
            select
                e.assignments, e.world_id, e.locale_id,
                count(*) as n0, count(*) filter (where e.failed) as s0,
                min(e.failed::integer) as a0, max(e.failed::integer) as z0,
                count(e.turn_latency_us) as n1, sum(e.turn_latency_us) as s1, sum(e.turn_latency_us::bigint * e.turn_latency_us) as q1, min(e.turn_latency_us) as a1, max(e.turn_latency_us) as z1,
                count(e.model_latency_us) as n2, sum(e.model_latency_us) as s2, sum(e.model_latency_us::bigint * e.model_latency_us) as q2, min(e.model_latency_us) as a2, max(e.model_latency_us) as z2,
                count(e.bundle_us) as n3, sum(e.bundle_us) as s3, sum(e.bundle_us::bigint * e.bundle_us) as q3, min(e.bundle_us) as a3, max(e.bundle_us) as z3,
                count(e.bundle_tokens) as n4, sum(e.bundle_tokens) as s4, sum(e.bundle_tokens::bigint * e.bundle_tokens) as q4, min(e.bundle_tokens) as a4, max(e.bundle_tokens) as z4,
                count(e.output_tokens) as n5, sum(e.output_tokens) as s5, sum(e.output_tokens::bigint * e.output_tokens) as q5, min(e.output_tokens) as a5, max(e.output_tokens) as z5,
                count(e.retries) as n6, sum(e.retries) as s6, sum(e.retries::bigint * e.retries) as q6, min(e.retries) as a6, max(e.retries) as z6,
                count(e.fallbacks) as n7, sum(e.fallbacks) as s7, sum(e.fallbacks::bigint * e.fallbacks) as q7, min(e.fallbacks) as a7, max(e.fallbacks) as z7,
                count(e.tool_calls) as n8, sum(e.tool_calls) as s8, sum(e.tool_calls::bigint * e.tool_calls) as q8, min(e.tool_calls) as a8, max(e.tool_calls) as z8,
                count(e.acts) as n9, sum(e.acts) as s9, sum(e.acts::bigint * e.acts) as q9, min(e.acts) as a9, max(e.acts) as z9,
                count(e.choices) as n10, sum(e.choices) as s10, sum(e.choices::bigint * e.choices) as q10, min(e.choices) as a10, max(e.choices) as z10,
                count(e.time_advance_ticks) as n11, sum(e.time_advance_ticks) as s11, sum(e.time_advance_ticks::bigint * e.time_advance_ticks) as q11, min(e.time_advance_ticks) as a11, max(e.time_advance_ticks) as z11
            from awf.turn_events as e
            where e.ts >= %L and e.ts < %L and (%s)
            group by e.assignments, e.world_id, e.locale_id
        )

        select
            v.variation_id, g.world_id, g.locale_id, m.metric_id,
            sum(m.n)::bigint, sum(m.s)::numeric, sum(m.q)::numeric, min(m.a)::bigint, max(m.z)::bigint
        from g
        cross join lateral (
            select 0 as variation_id
            union
            -- A number that no variation has counts for none.
            select i.id from awf.variation_ids as i where i.id = any (g.assignments)
        ) as v
        cross join lateral (
            values
            (0, g.n0, g.s0, g.s0::numeric, g.a0, g.z0),
            (1, g.n1, g.s1, g.q1, g.a1, g.z1),
            (2, g.n2, g.s2, g.q2, g.a2, g.z2),
            (3, g.n3, g.s3, g.q3, g.a3, g.z3),
            (4, g.n4, g.s4, g.q4, g.a4, g.z4),
            (5, g.n5, g.s5, g.q5, g.a5, g.z5),
            (6, g.n6, g.s6, g.q6, g.a6, g.z6),
            (7, g.n7, g.s7, g.q7, g.a7, g.z7),
            (8, g.n8, g.s8, g.q8, g.a8, g.z8),
            (9, g.n9, g.s9, g.q9, g.a9, g.z9),
            (10, g.n10, g.s10, g.q10, g.a10, g.z10),
            (11, g.n11, g.s11, g.q11, g.a11, g.z11)
        ) as m (metric_id, n, s, q, a, z)
        where m.n > 0
        group by v.variation_id, g.world_id, g.locale_id, m.metric_id
        $sql$,
        p_day::timestamp at time zone 'UTC', (p_day + 1)::timestamp at time zone 'UTC', p_condition
    );
end;
$$;
comment on function awf._totals_of(date, text) is
'Totals (as in daily_totals) of the events of a day (UTC) that the SQL condition on alias e selects.';
