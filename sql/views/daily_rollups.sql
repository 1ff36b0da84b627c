-- The daily totals, a row for each day, variation of a phase, world and locale, with every metric's count and sum side by side.
create or replace view awf.daily_rollups
with (security_invoker = true) as
select
    d.day,
    d.variation_id,
    d.world_id,
    d.locale_id,
    v.experiment_key,
    v.variation_key,
    w.value as world_ref,
    l.value as locale,
    coalesce(max(d.n) filter (where d.metric_id = 0), 0) as turns,
    coalesce(max(d.sum) filter (where d.metric_id = 0), 0)::bigint as failed_turns,
    max(d.n) filter (where d.metric_id = 1) as turn_latency_us_count,
    max(d.sum) filter (where d.metric_id = 1) as turn_latency_us_sum,
    max(d.n) filter (where d.metric_id = 2) as model_latency_us_count,
    max(d.sum) filter (where d.metric_id = 2) as model_latency_us_sum,
    max(d.n) filter (where d.metric_id = 3) as bundle_us_count,
    max(d.sum) filter (where d.metric_id = 3) as bundle_us_sum,
    max(d.n) filter (where d.metric_id = 4) as bundle_tokens_count,
    max(d.sum) filter (where d.metric_id = 4) as bundle_tokens_sum,
    max(d.n) filter (where d.metric_id = 5) as output_tokens_count,
    max(d.sum) filter (where d.metric_id = 5) as output_tokens_sum,
    max(d.n) filter (where d.metric_id = 6) as retries_count,
    max(d.sum) filter (where d.metric_id = 6) as retries_sum,
    max(d.n) filter (where d.metric_id = 7) as fallbacks_count,
    max(d.sum) filter (where d.metric_id = 7) as fallbacks_sum,
    max(d.n) filter (where d.metric_id = 8) as tool_calls_count,
    max(d.sum) filter (where d.metric_id = 8) as tool_calls_sum,
    max(d.n) filter (where d.metric_id = 9) as acts_count,
    max(d.sum) filter (where d.metric_id = 9) as acts_sum,
    max(d.n) filter (where d.metric_id = 10) as choices_count,
    max(d.sum) filter (where d.metric_id = 10) as choices_sum,
    max(d.n) filter (where d.metric_id = 11) as time_advance_ticks_count,
    max(d.sum) filter (where d.metric_id = 11) as time_advance_ticks_sum,
    v.phase
from awf.daily_totals as d
left join awf.variation_ids as v on d.variation_id = v.id
left join awf.dimensions as w on d.world_id = w.id and w.kind = 'world'
left join awf.dimensions as l on d.locale_id = l.id and l.kind = 'locale'
group by d.day, d.variation_id, d.world_id, d.locale_id, v.experiment_key, v.variation_key, v.phase, w.value, l.value;
comment on view awf.daily_rollups is
'Daily rollup by variation and phase, world and locale: counts and sums in stored units (latencies in microseconds). Rows with
variation_id 0 count every turn once; the others count a turn for each experiment it carries.';
comment on column awf.daily_rollups.day is 'Day, UTC.';
comment on column awf.daily_rollups.variation_id is 'Number in variation_ids; 0 for every turn.';
comment on column awf.daily_rollups.world_id is 'Number of the world.';
comment on column awf.daily_rollups.locale_id is 'Number of the locale.';
comment on column awf.daily_rollups.experiment_key is 'Experiment; NULL in the rows for every turn.';
comment on column awf.daily_rollups.variation_key is 'Variation; NULL in the rows for every turn.';
comment on column awf.daily_rollups.world_ref is 'World.';
comment on column awf.daily_rollups.locale is 'Locale.';
comment on column awf.daily_rollups.turns is 'Turns.';
comment on column awf.daily_rollups.failed_turns is 'Turns that failed.';
comment on column awf.daily_rollups.turn_latency_us_count is 'Turns that carry turnLatencyMs.';
comment on column awf.daily_rollups.turn_latency_us_sum is 'Sum of turnLatencyMs in stored units.';
comment on column awf.daily_rollups.model_latency_us_count is 'Turns that carry modelLatencyMs.';
comment on column awf.daily_rollups.model_latency_us_sum is 'Sum of modelLatencyMs in stored units.';
comment on column awf.daily_rollups.bundle_us_count is 'Turns that carry bundleMs.';
comment on column awf.daily_rollups.bundle_us_sum is 'Sum of bundleMs in stored units.';
comment on column awf.daily_rollups.bundle_tokens_count is 'Turns that carry bundleTokens.';
comment on column awf.daily_rollups.bundle_tokens_sum is 'Sum of bundleTokens in stored units.';
comment on column awf.daily_rollups.output_tokens_count is 'Turns that carry outputTokens.';
comment on column awf.daily_rollups.output_tokens_sum is 'Sum of outputTokens in stored units.';
comment on column awf.daily_rollups.retries_count is 'Turns that carry retries.';
comment on column awf.daily_rollups.retries_sum is 'Sum of retries in stored units.';
comment on column awf.daily_rollups.fallbacks_count is 'Turns that carry fallbacks.';
comment on column awf.daily_rollups.fallbacks_sum is 'Sum of fallbacks in stored units.';
comment on column awf.daily_rollups.tool_calls_count is 'Turns that carry toolCalls.';
comment on column awf.daily_rollups.tool_calls_sum is 'Sum of toolCalls in stored units.';
comment on column awf.daily_rollups.acts_count is 'Turns that carry acts.';
comment on column awf.daily_rollups.acts_sum is 'Sum of acts in stored units.';
comment on column awf.daily_rollups.choices_count is 'Turns that carry choices.';
comment on column awf.daily_rollups.choices_sum is 'Sum of choices in stored units.';
comment on column awf.daily_rollups.time_advance_ticks_count is 'Turns that carry timeAdvanceTicks.';
comment on column awf.daily_rollups.time_advance_ticks_sum is 'Sum of timeAdvanceTicks in stored units.';
comment on column awf.daily_rollups.phase is 'Phase of the experiment; NULL in the rows for every turn.';
