-- The metric columns of turn_events in the order of their numbers (table metrics).
-- Called wherever metrics travel as an array.
-- Costs nothing: a constant.
create or replace function awf._metric_columns()
returns text[]
language sql
immutable
parallel safe
return array[
    'turn_latency_us', 'model_latency_us', 'bundle_us', 'bundle_tokens', 'output_tokens', 'retries', 'fallbacks', 'tool_calls',
    'acts', 'choices', 'time_advance_ticks'
];
comment on function awf._metric_columns() is 'Names of the metric columns, metric 1 first.';
