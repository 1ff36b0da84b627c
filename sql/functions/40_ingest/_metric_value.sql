-- Reads one standard metric of a document.
-- Called by _metric_values().
-- Costs a microsecond: inlined.
create or replace function awf._metric_value(p_metrics jsonb, p_name text, p_scale integer)
returns bigint
language sql
immutable
parallel safe
return case
    when not p_metrics ? p_name then null
    when jsonb_typeof(p_metrics -> p_name) <> 'number' then -1
    when not (p_metrics -> p_name)::numeric between 0 and 2147483647::numeric / p_scale then -1
    when p_scale > 1 then round((p_metrics -> p_name)::numeric * p_scale)::bigint
    when (p_metrics -> p_name)::numeric % 1 = 0 then (p_metrics -> p_name)::bigint
    else -1
end;
comment on function awf._metric_value(jsonb, text, integer) is
'The metric in stored units; NULL when there is none, -1 for what is no number, out of range, or a fraction of what is whole.';
