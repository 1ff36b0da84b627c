-- Says what is wrong with the operand of an operator.
-- Called by _value_fault().
-- Costs a walk over the operand.
create or replace function awf._operator_fault(p_operator text, p_operand jsonb, p_path text)
returns text
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_type constant text := jsonb_typeof(p_operand);
begin
    return case
        when p_operator in ('$in', '$nin', '$ini', '$nini') then awf._scalars_fault(p_operand, p_path)
        when p_operator in ('$all', '$alli') then awf._list_fault(p_operand, p_path, false)
        when p_operator in ('$not', '$size') then awf._value_fault(p_operand, p_path)
        when p_operator = '$elemMatch' then case
            when v_type = 'object' and awf._tests_value(p_operand) then awf._value_fault(p_operand, p_path)
            else awf._entries_fault(p_operand, p_path)
        end
        when p_operator in ('$eq', '$ne') then case
            when v_type in ('array', 'object') then p_path || ': must be text, a number, true, false or null'
        end
        when p_operator in ('$lt', '$lte', '$gt', '$gte') then case
            when v_type not in ('number', 'string') then p_path || ': must be a number or text'
        end
        when p_operator = '$exists' then case when v_type <> 'boolean' then p_path || ': must be true or false' end
        when p_operator = '$type' then case
            when p_operand not in ('"string"', '"number"', '"boolean"', '"array"', '"object"', '"null"')
                then p_path || ': must be string, number, boolean, array, object or null'
        end
        when v_type <> 'string' then p_path || ': must be text'
        when p_operator in ('$regex', '$regexi', '$notRegex', '$notRegexi')
            then p_path || ': ' || awf._regex_fault(p_operand #>> '{}')
    end;
end;
$$;
comment on function awf._operator_fault(text, jsonb, text) is 'The first fault of the operand; NULL when there is none.';
