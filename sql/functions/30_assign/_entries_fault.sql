-- Says what is wrong with the entries of a condition, or of a condition inside it.
-- Called by _condition_fault(), _list_fault() and _operator_fault().
-- Costs a walk over the condition.
create or replace function awf._entries_fault(p_condition jsonb, p_path text)
returns text
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_entry record;
    v_fault text;
begin
    if jsonb_typeof(p_condition) is distinct from 'object' then
        return p_path || ': must be an object';
    end if;
    for v_entry in select c.value, c.key, p_path || '.' || c.key as path from jsonb_each(p_condition) as c loop
        v_fault := case
            when v_entry.key in ('$and', '$or', '$nor') then awf._list_fault(v_entry.value, v_entry.path, true)
            when v_entry.key = '$not' then awf._entries_fault(v_entry.value, v_entry.path)
            when v_entry.key = any (awf._value_operators()) then v_entry.path || ': is an operator, where an attribute belongs'
            when v_entry.key in ('$savedGroup', '$savedGroups') then v_entry.path || ': is not supported'
            else awf._value_fault(v_entry.value, v_entry.path)
        end;
        if v_fault is not null then
            return v_fault;
        end if;
    end loop;
    return null;
end;
$$;
comment on function awf._entries_fault(jsonb, text) is 'The first fault of the condition at the path; NULL when there is none.';
