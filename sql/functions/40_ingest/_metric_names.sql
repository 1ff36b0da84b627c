-- The names of the standard metrics in the order of their numbers (table metrics).
-- Called wherever the metrics of a document are read.
-- Costs nothing: a constant.
create or replace function awf._metric_names()
returns text[]
language sql
immutable
parallel safe
return array[
    'turnLatencyMs', 'modelLatencyMs', 'bundleMs', 'bundleTokens', 'outputTokens', 'retries', 'fallbacks', 'toolCalls',
    'acts', 'choices', 'timeAdvanceTicks'
];
comment on function awf._metric_names() is 'Names of the standard metrics, metric 1 first.';
