-- Refuses a condition that is malformed.
-- Called when an experiment is created or its condition changes.
-- Costs a walk over the condition.
create or replace function awf._check_condition(p_key text, p_condition jsonb)
returns void
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_fault constant text := awf._condition_fault(p_condition);
begin
    if v_fault is not null then
        raise exception using
            errcode = 'WF113',
            message = format('condition of experiment "%s" is malformed at %s', p_key, v_fault),
            detail = format('Condition: %s', left(p_condition::text, 1000)),
            hint = 'Give an object like {"locale": {"$in": ["de-DE", "fr-FR"]}, "world": "world.ember-reach"}; {} lets everybody in.';
    end if;
end;
$$;
comment on function awf._check_condition(text, jsonb) is 'Raises WF113 with the place of the fault when the condition is malformed.';
