-- The daily rollup of a range of days, with averages.
-- Called by rollup_daily() and backfill().
-- Costs a scan of the days' totals.
create or replace function awf._rollup_rows(p_from date, p_to date)
returns table (
    day date, experiment_key text, variation_key text, locale text, world_ref text,
    turns bigint, failed_turns bigint, bundle_tokens numeric, output_tokens numeric,
    avg_turn_latency_ms numeric, avg_model_latency_ms numeric, avg_bundle_ms numeric, avg_bundle_tokens numeric,
    avg_output_tokens numeric, avg_retries numeric, avg_fallbacks numeric, avg_tool_calls numeric, avg_acts numeric,
    avg_choices numeric, avg_time_advance_ticks numeric
)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        d.day, d.experiment_key, d.variation_key, d.locale, d.world_ref,
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
        round(sum(d.time_advance_ticks_sum) / sum(d.time_advance_ticks_count), 4)
    from awf.daily_rollups as d
    where d.day between p_from and p_to and (d.variation_id = 0 or d.experiment_key is not null)
    group by d.day, d.experiment_key, d.variation_key, d.locale, d.world_ref
    order by d.day, d.experiment_key nulls first, d.variation_key, d.locale, d.world_ref;
end;
$$;
comment on function awf._rollup_rows(date, date) is 'Rows of the daily rollup with totals and averages, every turn (NULL experiment) first.';
