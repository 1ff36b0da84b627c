-- Refuses guardrails that name no knob, bound nothing or bound the wrong way round.
-- Called when an experiment is created or its guardrails change.
-- Costs a lookup of the knobs.
create or replace function awf._check_guardrails(p_key text, p_guardrails jsonb)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_entry record;
begin
    if jsonb_typeof(p_guardrails) is distinct from 'object' then
        raise exception using
            errcode = 'WF111',
            message = format('guardrails of experiment "%s" are %s, not an object', p_key, coalesce(left(p_guardrails::text, 200), 'NULL')),
            hint = 'Give an object like {"maxOutputTokens": 2000, "maxActs": {"min": 2, "max": 8}}.';
    end if;
    for v_entry in select g.key as knob, g.value as bound from jsonb_each(p_guardrails) as g order by g.key collate "C" loop
        perform awf._require_knob(v_entry.knob, format('guardrails of experiment "%s"', p_key));
        if not awf._is_bound(v_entry.bound)
            or (select k.type = 'boolean' from awf.knobs as k where k.name = v_entry.knob) then
            raise exception using
                errcode = 'WF111',
                message = format('guardrail %s of experiment "%s" cannot be %s', v_entry.knob, p_key, left(v_entry.bound::text, 100)),
                hint = 'A guardrail of a numeric knob is a maximum (2000) or {"min": number, "max": number} with min <= max.';
        end if;
    end loop;
end;
$$;
comment on function awf._check_guardrails(text, jsonb) is 'Raises WF108 (no such knob) or WF111 (no such bound).';
