-- Reads the standard metrics of a document.
-- Called by _parse_event().
-- Costs a microsecond for each.
create or replace function awf._metric_values(p_metrics jsonb)
returns bigint[]
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return array[
        awf._metric_value(p_metrics, 'turnLatencyMs', 1000), awf._metric_value(p_metrics, 'modelLatencyMs', 1000),
        awf._metric_value(p_metrics, 'bundleMs', 1000), awf._metric_value(p_metrics, 'bundleTokens', 1),
        awf._metric_value(p_metrics, 'outputTokens', 1), awf._metric_value(p_metrics, 'retries', 1),
        awf._metric_value(p_metrics, 'fallbacks', 1), awf._metric_value(p_metrics, 'toolCalls', 1),
        awf._metric_value(p_metrics, 'acts', 1), awf._metric_value(p_metrics, 'choices', 1),
        awf._metric_value(p_metrics, 'timeAdvanceTicks', 1)
    ];
end;
$$;
comment on function awf._metric_values(jsonb) is
'The metrics in stored units, in the order of _metric_columns(); NULL for one that is missing, -1 for one that _metrics_fault() names.';
