-- What becomes of one value that a variation sets: used as it is, clamped, or refused.
-- Called by _evaluate() for each value.
-- Costs nothing to speak of.
create or replace function awf._apply_knob(p_knob jsonb, p_guardrail jsonb, p_value jsonb, p_current jsonb, p_taken boolean)
returns table (reason text, used jsonb)
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_given numeric;
    v_used numeric;
begin
    if p_knob is null then
        return query select 'unknown_knob', p_current;
    elsif not awf._has_type(p_value, p_knob ->> 'type') then
        return query select 'wrong_type', p_current;
    elsif p_taken then
        return query select 'overlap', p_current;
    elsif jsonb_typeof(p_value) <> 'number' then
        return query select null::text, p_value;
    else
        v_given := (p_value #>> '{}')::numeric;
        -- The lower bound first: where bounds contradict each other, the upper one, which guards the budget, wins.
        v_used := least(
            greatest(v_given, awf._bound_of(p_knob, 'min'), awf._bound_of(p_guardrail, 'min')),
            awf._bound_of(p_knob, 'max'), awf._bound_of(p_guardrail, 'max')
        );
        if v_used = v_given then
            return query select null::text, p_value;
        else
            return query select 'out_of_range', to_jsonb(v_used);
        end if;
    end if;
end;
$$;
comment on function awf._apply_knob(jsonb, jsonb, jsonb, jsonb, boolean) is
'reason: NULL, unknown_knob, wrong_type, overlap (an earlier experiment set the knob) or out_of_range; used: the value that counts.';
