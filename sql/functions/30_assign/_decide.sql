-- Decides whether a unit is in an experiment of the configuration, and why: the twin of the Python one, held equal by tests.
-- Called by _evaluate(), assign() and explain_assignment().
-- Costs one hash, another one in a layer, and the condition where there is one.
create or replace function awf._decide(
    p_experiment jsonb, p_session_id text, p_player_hash text, p_attributes jsonb, p_at timestamptz, p_opted_in boolean,
    p_sticky jsonb
)
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_phase constant jsonb := awf._phase_at(p_experiment, p_at);
    v_unit constant text := awf._unit_of(p_experiment, p_session_id, p_player_hash);
    v_variation jsonb;
begin
    if coalesce(v_phase -> 'variations', '[]') = '[]' then
        return '{"reason": "phase"}'::jsonb;
    elsif p_opted_in is false or (p_experiment -> 'optIn' = 'true' and p_opted_in is null) then
        return '{"reason": "opt_in"}'::jsonb;
    elsif v_unit is null then
        return '{"reason": "unit"}'::jsonb;
    end if;
    v_variation := awf._variation_of(v_phase, p_experiment -> 'overrides' ->> v_unit);
    if v_variation is not null then
        return jsonb_build_object('reason', 'override', 'variation', v_variation);
    elsif p_experiment -> 'layer' <> 'null' and not awf._in_layer(v_unit, p_experiment -> 'layer') then
        return '{"reason": "layer"}'::jsonb;
    elsif p_experiment -> 'sticky' = 'true' then
        if awf._is_blocked(p_experiment ->> 'key', (v_phase -> 'minBucketVersion')::integer, p_sticky) then
            return '{"reason": "blocked"}'::jsonb;
        end if;
        v_variation := awf._variation_of(
            v_phase, p_sticky ->> awf._sticky_key(p_experiment ->> 'key', (v_phase -> 'bucketVersion')::integer)
        );
        if v_variation is not null then
            return jsonb_build_object('reason', 'sticky', 'variation', v_variation);
        end if;
    end if;
    if v_phase -> 'condition' <> '{}' and not awf.matches(v_phase -> 'condition', p_attributes) then
        return '{"reason": "condition"}'::jsonb;
    end if;
    -- A JSON array counts -1 from its end, so that index is taken out.
    v_variation := v_phase -> 'variations' -> nullif(awf.choose_variation(
        awf.hash_unit(v_phase ->> 'hashSeed', v_unit, (p_experiment -> 'hashVersion')::integer), v_phase -> 'ranges'
    ), -1);
    if v_variation is null then
        return '{"reason": "coverage"}'::jsonb;
    end if;
    return jsonb_build_object('reason', 'assigned', 'variation', v_variation);
end;
$$;
comment on function awf._decide(jsonb, text, text, jsonb, timestamptz, boolean, jsonb) is
'{"reason"}, and {"variation": {"key", "id"}} when the unit is in. The checks in their order, the first that decides wins: phase, opt_in,
unit (out), override (in), layer (out), blocked (out by an older sticky assignment), sticky (in), condition, coverage (out), assigned.
p_opted_in: false means no experiment at all, NULL means not asked. p_sticky: {"<experiment>__<bucket version>": variation}.';
