-- The report of an experiment: a row for each variation and locale.
-- Called by readers, analysts, admins and the CLI.
-- Costs a scan of the experiment's daily totals and exposures; the age of the events does not matter.
create or replace function awf.experiment_report(
    p_key text,
    p_from date default null,
    p_to date default null,
    p_by text[] default '{variation,locale}'
)
returns table (
    variation_key text, locale text, units bigint,
    turns bigint, failed_turns bigint, bundle_tokens numeric, output_tokens numeric,
    avg_turn_latency_ms numeric, avg_model_latency_ms numeric, avg_bundle_ms numeric, avg_bundle_tokens numeric,
    avg_output_tokens numeric, avg_retries numeric, avg_fallbacks numeric, avg_tool_calls numeric, avg_acts numeric,
    avg_choices numeric, avg_time_advance_ticks numeric, phase integer, expected_percent numeric
)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._find_experiment(p_key);
begin
    perform awf._check_range(p_from, p_to);
    perform awf._check_grouping(p_by);
    return query
    with cells as (
        select
            d.*,
            case when 'variation' = any (p_by) then d.variation_key end as by_variation,
            case when 'locale' = any (p_by) then d.locale end as by_locale,
            case when 'phase' = any (p_by) then d.phase end as by_phase
        from awf.daily_rollups as d
        inner join awf.variation_ids as v on d.variation_id = v.id
        where v.experiment_id = v_id and d.day >= coalesce(p_from, '-infinity') and d.day <= coalesce(p_to, 'infinity')
    )

    select
        d.by_variation, d.by_locale, coalesce(max(x.units), 0),
        sum(d.turns)::bigint, sum(d.failed_turns)::bigint, coalesce(sum(d.bundle_tokens_sum), 0), coalesce(sum(d.output_tokens_sum), 0),
        round(sum(d.turn_latency_us_sum) / sum(d.turn_latency_us_count) / 1000, 3),
        round(sum(d.model_latency_us_sum) / sum(d.model_latency_us_count) / 1000, 3),
        round(sum(d.bundle_us_sum) / sum(d.bundle_us_count) / 1000, 3),
        round(sum(d.bundle_tokens_sum) / sum(d.bundle_tokens_count), 3),
        round(sum(d.output_tokens_sum) / sum(d.output_tokens_count), 3),
        round(sum(d.retries_sum) / sum(d.retries_count), 4),
        round(sum(d.fallbacks_sum) / sum(d.fallbacks_count), 4),
        round(sum(d.tool_calls_sum) / sum(d.tool_calls_count), 4),
        round(sum(d.acts_sum) / sum(d.acts_count), 4),
        round(sum(d.choices_sum) / sum(d.choices_count), 4),
        round(sum(d.time_advance_ticks_sum) / sum(d.time_advance_ticks_count), 4),
        d.by_phase, awf._expected_percent(v_id, d.by_phase, d.by_variation)
    from cells as d
    left join awf._count_units(v_id, p_from, p_to, p_by) as x
        on d.by_variation is not distinct from x.variation_key
        and d.by_locale is not distinct from x.locale
        and d.by_phase is not distinct from x.phase
    group by d.by_variation, d.by_locale, d.by_phase
    order by d.by_phase, d.by_variation, d.by_locale;
    if not found then
        perform awf._report_range_notice(p_key, v_id, p_from, p_to);
    end if;
end;
$$;
comment on function awf.experiment_report(text, date, date, text[]) is
'The turns of an experiment from p_from to p_to (UTC, both included; NULL: without a bound), a row for each variation and locale,
or for what p_by names (any of variation, locale, phase; a column that is not asked for is NULL). Columns: units (first exposed in
the range; over all phases a unit counts once, and once in each variation that it was in), turns, failed_turns, sums of tokens,
then averages over the turns that carry the metric (latencies in ms), phase, and expected_percent: by phase and variation, the
percent of the units that the phase meant for the variation. It counts what has been rolled up. A range without data gives no rows
and a notice that names the days with data.
Errors: WF101 (no such experiment), WF002 (a reversed range), WF001 (p_by).
Example: SELECT * FROM awf.experiment_report(''token-budget-test'', ''2025-01-01'', ''2025-01-31'');';
