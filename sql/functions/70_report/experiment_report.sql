-- The report of an experiment: a row for each variation and locale.
-- Called by readers, analysts, admins and the CLI.
-- Costs a scan of the experiment's totals and histograms; how many events there are does not matter.
create or replace function awf.experiment_report(
    p_key text,
    p_from date default null,
    p_to date default null,
    p_by text[] default '{variation,locale}',
    p_zone text default 'UTC'
)
returns table (
    variation_key text, locale text, units bigint,
    turns bigint, failed_turns bigint, bundle_tokens numeric, output_tokens numeric,
    avg_turn_latency_ms numeric, avg_model_latency_ms numeric, avg_bundle_ms numeric, avg_bundle_tokens numeric,
    avg_output_tokens numeric, avg_retries numeric, avg_fallbacks numeric, avg_tool_calls numeric, avg_acts numeric,
    avg_choices numeric, avg_time_advance_ticks numeric, phase integer, expected_percent numeric, quantiles jsonb
)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._find_experiment(p_key);
    v_ids integer[];
    v_groups integer[];
begin
    perform awf._check_range(p_from, p_to);
    perform awf._check_grouping(p_by, '{variation,locale,phase}');
    perform awf._require_zone(p_zone, p_from, p_to);
    -- A group is known by one of its numbers.
    select array_agg(g.id), array_agg(g.group_id) into v_ids, v_groups
    from (
        select v.id, min(v.id) over (
            partition by case when 'variation' = any (p_by) then v.variation_key end, case when 'phase' = any (p_by) then v.phase end
        ) as group_id
        from awf.variation_ids as v
        where v.experiment_id = v_id
    ) as g;
    return query
    with cells as (
        select
            case when 'variation' = any (p_by) then v.variation_key end as by_variation,
            l.value as by_locale,
            case when 'phase' = any (p_by) then v.phase end as by_phase,
            t.group_id, t.locale_id, f.*
        from awf._sum_totals(v_ids, v_groups, p_from, p_to, p_by, p_zone) as t
        inner join awf.variation_ids as v on t.group_id = v.id
        left join awf.dimensions as l on t.locale_id = l.id and l.kind = 'locale'
        cross join lateral awf._figures(t.metrics, t.n, t.sums) as f
    )

    select
        c.by_variation, c.by_locale, coalesce(x.units, 0),
        c.turns, c.failed_turns, c.bundle_tokens, c.output_tokens,
        c.avg_turn_latency_ms, c.avg_model_latency_ms, c.avg_bundle_ms, c.avg_bundle_tokens,
        c.avg_output_tokens, c.avg_retries, c.avg_fallbacks, c.avg_tool_calls, c.avg_acts,
        c.avg_choices, c.avg_time_advance_ticks, c.by_phase, awf._expected_percent(v_id, c.by_phase, c.by_variation), q.quantiles
    from cells as c
    left join awf._count_units(v_id, p_from, p_to, p_by, p_zone) as x
        on c.by_variation is not distinct from x.variation_key
        and c.locale_id is not distinct from x.locale_id
        and c.by_phase is not distinct from x.phase
    left join awf._quantiles(v_ids, v_groups, p_from, p_to, p_by) as q
        -- Histograms are of days in UTC.
        on (p_zone = 'UTC' or p_from is null and p_to is null) and c.group_id = q.group_id and c.locale_id is not distinct from q.locale_id
    order by c.by_phase, c.by_variation, c.by_locale;
    if not found then
        perform awf._report_range_notice(p_key, v_id, p_from, p_to);
    end if;
end;
$$;
comment on function awf.experiment_report(text, date, date, text[], text) is
'The turns of an experiment from p_from to p_to (both included; NULL: without a bound), a row for each variation and locale,
or for what p_by names (any of variation, locale, phase; a column that is not asked for is NULL). Columns: units (first exposed in
the range, with the variation of that exposure; over all phases a unit counts once, and by variation once in each that it was exposed to
in a phase), turns, failed_turns, sums of tokens,
then averages over the turns that carry the metric (latencies in ms), phase, expected_percent (by phase and variation, the
percent of the units that the phase meant for the variation), and quantiles of the latency and token metrics, each within 1 %:
{"turnLatencyMs": {"p50": ..., "p90": ..., "p95": ..., "p99": ...}, ...}. Days are those of p_zone, UTC or the name of a zone that is
whole hours away; quantiles are kept by days in UTC and NULL for a range of days of another zone. It counts what has been rolled up.
A range without data gives no rows and a notice that names the days with data.
Errors: WF101 (no such experiment), WF002 (a reversed range), WF001 (p_by, p_zone).
Example: SELECT * FROM awf.experiment_report(''token-budget-test'', ''2025-01-01'', ''2025-01-31'');';
