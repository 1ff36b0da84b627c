-- Evaluates a configuration document for one turn: the twin of the Python evaluator, held equal by tests.
-- Called by turn_params().
-- Costs what _decide() costs, per experiment.
create or replace function awf._evaluate(
    p_config jsonb, p_session_id text, p_player_hash text, p_defaults jsonb, p_attributes jsonb, p_at timestamptz,
    p_opted_in boolean default null, p_sticky jsonb default '{}'
)
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_params jsonb := coalesce(p_defaults, '{}');
    v_exposures jsonb := '[]'::jsonb;
    v_forced jsonb := '[]'::jsonb;
    v_invalid jsonb := '[]'::jsonb;
    v_sticky jsonb := '{}'::jsonb;
    v_taken text[] := array[]::text[];
    v_experiment jsonb;
    v_decision jsonb;
    v_given jsonb;
    v_knob record;
    v_fault record;
begin
    for v_experiment in select e.value from jsonb_array_elements(p_config -> 'experiments') with ordinality as e order by e.ordinality loop
        v_decision := awf._decide(v_experiment, p_session_id, p_player_hash, p_attributes, p_at, p_opted_in, p_sticky);
        continue when not v_decision ? 'variation';
        v_given := jsonb_build_object('experiment', v_experiment -> 'key', 'variation', v_decision #> '{variation,key}');
        if v_decision ->> 'reason' = 'override' then
            v_forced := v_forced || (v_given || jsonb_build_object('id', v_decision #> '{variation,id}'));
        else
            v_exposures := v_exposures || (v_given || jsonb_build_object('id', v_decision #> '{variation,id}'));
            if v_experiment -> 'sticky' = 'true' then
                v_sticky := v_sticky || jsonb_build_object(awf._sticky_key(
                    v_experiment ->> 'key', (awf._phase_at(v_experiment, p_at) -> 'bucketVersion')::integer
                ), v_given -> 'variation');
            end if;
        end if;
        for v_knob in
            select p.key, p.value
            from jsonb_each(awf._as_object(v_experiment -> 'params' -> (v_given ->> 'variation'))) as p
            order by p.key collate "C"
        loop
            select f.reason, f.used into v_fault from awf._apply_knob(
                p_config -> 'knobs' -> v_knob.key, v_experiment -> 'guardrails' -> v_knob.key, v_knob.value,
                v_params -> v_knob.key, v_knob.key = any (v_taken)
            ) as f;
            if v_fault.reason is not null then
                v_invalid := v_invalid || (v_given || jsonb_build_object(
                    'knob', v_knob.key, 'value', v_knob.value, 'reason', v_fault.reason, 'used', v_fault.used
                ));
            end if;
            if v_fault.reason is null or v_fault.reason = 'out_of_range' then
                v_params := v_params || jsonb_build_object(v_knob.key, v_fault.used);
                v_taken := v_taken || v_knob.key;
            end if;
        end loop;
    end loop;
    return jsonb_build_object(
        'params', v_params, 'exposures', v_exposures, 'forced', v_forced, 'invalid', v_invalid, 'sticky', v_sticky
    );
end;
$$;
comment on function awf._evaluate(jsonb, text, text, jsonb, jsonb, timestamptz, boolean, jsonb) is
'{params, exposures, forced, invalid, sticky} of one turn under a configuration document.';
