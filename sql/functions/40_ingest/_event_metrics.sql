-- The metrics of an event document under their standard names; turn_latency_ms is read as turnLatencyMs.
-- Called by _parse_event() and _document_fault().
-- Costs a walk over the metrics.
create or replace function awf._event_metrics(p_event jsonb)
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_event -> 'metrics') is distinct from 'object' then
        return coalesce(nullif(p_event -> 'metrics', 'null'::jsonb), '{}'::jsonb);
    end if;
    -- Nothing to rename and nothing to leave out: a name in snake_case has a "_".
    if ((p_event -> 'metrics') - awf._metric_names())::text not like e'%\\_%'
        and not jsonb_path_exists(p_event -> 'metrics', 'strict $.* ? (@ == null)') then
        return p_event -> 'metrics';
    end if;
    return (
        select coalesce(jsonb_object_agg(coalesce(m.name, x.key), x.value) filter (where x.value <> 'null'), '{}')
        from jsonb_each(p_event -> 'metrics') as x
        left join awf.metrics as m on x.key in (m.name, m.snake_name)
    );
end;
$$;
comment on function awf._event_metrics(jsonb) is 'The metrics document of an event, standard names in camelCase, without nulls; {} when there is none.';
