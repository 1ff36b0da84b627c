-- Refuses params that name no knob, have the wrong type or lie outside the bounds in force.
-- Called when a variation is saved, when guardrails change and when an experiment starts.
-- Costs a scan of the knobs.
create or replace function awf._check_params(p_experiment_key text, p_variation_key text, p_params jsonb, p_guardrails jsonb)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_where constant text := format('variation "%s" of experiment "%s"', p_variation_key, p_experiment_key);
    v_param record;
    v_side text;
begin
    if jsonb_typeof(p_params) is distinct from 'object' then
        raise exception using
            errcode = 'WF110',
            message = format('%s: params are %s, not an object', v_where, coalesce(left(p_params::text, 200), 'NULL')),
            hint = 'Give an object like {"maxOutputTokens": 1500}.';
    end if;
    for v_param in
        select p.key as knob, p.value as given, b.type, b.low, b.high, b.low_from, b.high_from
        from jsonb_each(p_params) as p
        left join awf._knob_bounds(p_guardrails) as b on p.key = b.knob
        order by p.key collate "C"
    loop
        perform awf._require_knob(v_param.knob, v_where);
        if not awf._has_type(v_param.given, v_param.type) then
            raise exception using
                errcode = 'WF110',
                message = format('%s: %s cannot be %s', v_where, v_param.knob, left(v_param.given::text, 100)),
                hint = format('%s takes %s.', v_param.knob, v_param.type);
        end if;
        v_side := awf._outside(v_param.given, v_param.low, v_param.high);
        if v_side is not null then
            raise exception using
                errcode = 'WF109',
                message = format(
                    '%s: %s %s is %s %s', v_where, v_param.knob, left(v_param.given::text, 100), v_side,
                    case v_side when 'above' then v_param.high else v_param.low end
                ),
                detail = format(
                    'The bound is set by %s.', case v_side when 'above' then v_param.high_from else v_param.low_from end
                ),
                hint = 'Choose a value within the bounds, or move the bound first.';
        end if;
    end loop;
end;
$$;
comment on function awf._check_params(text, text, jsonb, jsonb) is 'Raises WF108 (unknown knob), WF110 (wrong type) or WF109 (out of bounds).';
