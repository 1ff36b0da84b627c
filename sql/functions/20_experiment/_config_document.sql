-- The configuration as one document.
-- Called by active_config(), and by turn_params() for a moment in the past.
-- Costs a scan of the experiments.
create or replace function awf._config_document(p_stopped_too boolean)
returns jsonb
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_names constant text[] := awf._setting_names('exposure_attributes');
begin
    return jsonb_build_object(
        'version', 2,
        'revision', (select c.revision from awf.config_state as c),
        'knobs', (
            select coalesce(jsonb_object_agg(b.knob, jsonb_build_object('type', b.type, 'min', b.low, 'max', b.high)), '{}')
            from awf._knob_bounds('{}') as b
        ),
        'experiments', (
            select coalesce(jsonb_agg(awf._experiment_config(e.id) order by e.start_at, e.id), '[]')
            from awf.experiments as e
            where e.status = 'running' or (e.status = 'stopped' and p_stopped_too)
        )
    ) || (case when v_names = '{}' then '{}'::jsonb else jsonb_build_object('exposureAttributes', v_names) end);
end;
$$;
comment on function awf._config_document(boolean) is
'The document that active_config() describes, with the stopped experiments if asked for.';
