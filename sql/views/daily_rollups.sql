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
    d.n[1] as turns,
    d.sum[1] as failed_turns,
    nullif(d.n[2], 0) as turn_latency_us_count,
    case when d.n[2] > 0 then d.sum[2]::numeric end as turn_latency_us_sum,
    nullif(d.n[3], 0) as model_latency_us_count,
    case when d.n[3] > 0 then d.sum[3]::numeric end as model_latency_us_sum,
    nullif(d.n[4], 0) as bundle_us_count,
    case when d.n[4] > 0 then d.sum[4]::numeric end as bundle_us_sum,
    nullif(d.n[5], 0) as bundle_tokens_count,
    case when d.n[5] > 0 then d.sum[5]::numeric end as bundle_tokens_sum,
    nullif(d.n[6], 0) as output_tokens_count,
    case when d.n[6] > 0 then d.sum[6]::numeric end as output_tokens_sum,
    nullif(d.n[7], 0) as retries_count,
    case when d.n[7] > 0 then d.sum[7]::numeric end as retries_sum,
    nullif(d.n[8], 0) as fallbacks_count,
    case when d.n[8] > 0 then d.sum[8]::numeric end as fallbacks_sum,
    nullif(d.n[9], 0) as tool_calls_count,
    case when d.n[9] > 0 then d.sum[9]::numeric end as tool_calls_sum,
    nullif(d.n[10], 0) as acts_count,
    case when d.n[10] > 0 then d.sum[10]::numeric end as acts_sum,
    nullif(d.n[11], 0) as choices_count,
    case when d.n[11] > 0 then d.sum[11]::numeric end as choices_sum,
    nullif(d.n[12], 0) as time_advance_ticks_count,
    case when d.n[12] > 0 then d.sum[12]::numeric end as time_advance_ticks_sum,
    v.phase
from awf.daily_totals as d
left join awf.variation_ids as v on d.variation_id = v.id
left join awf.dimensions as w on d.world_id = w.id and w.kind = 'world'
left join awf.dimensions as l on d.locale_id = l.id and l.kind = 'locale';
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
