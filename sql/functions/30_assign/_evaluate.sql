-- Evaluates a configuration document for one turn: the twin of the Python evaluator, held equal by tests.
-- Called by turn_params().
-- Costs one hash and one condition per experiment.
create or replace function awf._evaluate(
    p_config jsonb, p_session_id text, p_player_hash text, p_defaults jsonb, p_attributes jsonb, p_at timestamptz
)
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_params jsonb := coalesce(p_defaults, '{}'::jsonb);
    v_exposures jsonb := '[]'::jsonb;
    v_invalid jsonb := '[]'::jsonb;
    v_taken text[] := array[]::text[];
    v_experiment jsonb;
    v_variation jsonb;
    v_knob record;
    v_fault record;
begin
    for v_experiment in select e.value from jsonb_array_elements(p_config -> 'experiments') with ordinality as e order by e.ordinality loop
        v_variation := awf._pick_variation(v_experiment, p_session_id, p_player_hash, p_attributes, p_at);
        continue when v_variation is null;
        v_exposures := v_exposures || jsonb_build_object(
            'experiment', v_experiment -> 'key', 'variation', v_variation -> 'key', 'id', v_variation -> 'id'
        );
        for v_knob in select p.key, p.value from jsonb_each(v_variation -> 'params') as p order by p.key collate "C" loop
            select f.reason, f.used into v_fault from awf._apply_knob(
                p_config -> 'knobs' -> v_knob.key, v_experiment -> 'guardrails' -> v_knob.key, v_knob.value,
                v_params -> v_knob.key, v_knob.key = any (v_taken)
            ) as f;
            if v_fault.reason is not null then
                v_invalid := v_invalid || jsonb_build_object(
                    'experiment', v_experiment -> 'key', 'variation', v_variation -> 'key', 'knob', v_knob.key,
                    'value', v_knob.value, 'reason', v_fault.reason, 'used', v_fault.used
                );
            end if;
            if v_fault.reason is null or v_fault.reason = 'out_of_range' then
                v_params := v_params || jsonb_build_object(v_knob.key, v_fault.used);
                v_taken := v_taken || v_knob.key;
            end if;
        end loop;
    end loop;
    return jsonb_build_object('params', v_params, 'exposures', v_exposures, 'invalid', v_invalid);
end;
$$;
comment on function awf._evaluate(jsonb, text, text, jsonb, jsonb, timestamptz) is '{params, exposures, invalid} of one turn under a configuration document.';
