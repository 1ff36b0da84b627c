-- Says in words what one check of _decide() saw.
-- Called by explain_assignment().
-- Costs what the check costs.
create or replace function awf._explain_check(
    p_check text, p_experiment jsonb, p_unit text, p_attributes jsonb, p_at timestamptz, p_opted_in boolean, p_sticky jsonb
)
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_phase constant jsonb := awf._phase_at(p_experiment, p_at);
    v_basis constant text := case p_experiment ->> 'hashBasis' when 'player' then 'player hash' else 'session id' end;
    v_layer constant jsonb := nullif(p_experiment -> 'layer', 'null');
    v_forced constant text := p_experiment -> 'overrides' ->> p_unit;
begin
    return case p_check
        when 'phase' then awf._explain_phase(p_experiment, p_at)
        when 'opt_in' then case p_opted_in when true then 'the turn has opted in' when false then 'the turn has opted out'
            else 'the turn was not asked' end
            || case p_experiment -> 'optIn' when 'true' then ', and the experiment asks for it'
            else ', and the experiment does not ask for it' end
        when 'unit' then case when p_unit is null then format('the turn has no %s', v_basis) else format('%s "%s"', v_basis, p_unit) end
        when 'override' then case
            when v_forced is null then 'no variation is forced on the unit'
            when awf._variation_of(v_phase, v_forced) is null
                then format('variation "%s" is forced on the unit, but this phase does not have it', v_forced)
            else format('variation "%s" is forced on the unit', v_forced)
        end
        when 'layer' then case
            when v_layer is null then 'the experiment is in no layer'
            else format(
                'the unit is at %s in layer "%s", and the experiment has [%s, %s)', awf.hash_unit('__' || (v_layer ->> 0), p_unit, 2),
                v_layer ->> 0, v_layer -> 1, v_layer -> 2
            )
        end
        when 'sticky' then awf._explain_sticky(p_experiment, v_phase, p_sticky)
        when 'condition' then case v_phase -> 'condition' when '{}' then 'everybody takes part'
            else format('attributes %s against %s', left(coalesce(p_attributes, '{}')::text, 500), v_phase ->> 'condition') end
        when 'coverage' then awf._explain_hash(p_experiment, v_phase, p_unit)
    end;
end;
$$;
comment on function awf._explain_check(text, jsonb, text, jsonb, timestamptz, boolean, jsonb) is 'One sentence on one of the checks.';
