-- Whether one attribute meets one operator.
-- Called by _meets_value().
-- Costs little, but for lists and regular expressions.
create or replace function awf._meets_operator(p_operator text, p_operand jsonb, p_value jsonb, p_groups jsonb)
returns boolean
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_text constant text := case jsonb_typeof(p_value) when 'string' then p_value #>> '{}' end;
begin
    return case p_operator
        when '$eq' then awf._same_value(p_operand, p_value)
        when '$ne' then not awf._same_value(p_operand, p_value)
        when '$in' then awf._in_list(p_value, p_operand)
        when '$nin' then not awf._in_list(p_value, p_operand)
        when '$ini' then awf._in_list(awf._fold_case(p_value), awf._fold_case(p_operand))
        when '$nini' then not awf._in_list(awf._fold_case(p_value), awf._fold_case(p_operand))
        when '$inGroup' then awf._in_list(p_value, awf._group_members(p_groups, p_operand #>> '{}'))
        when '$notInGroup' then not awf._in_list(p_value, awf._group_members(p_groups, p_operand #>> '{}'))
        when '$regex' then coalesce(v_text collate "C" ~ (p_operand #>> '{}'), false)
        when '$notRegex' then coalesce(v_text collate "C" !~ (p_operand #>> '{}'), true)
        when '$regexi' then coalesce(v_text collate "C" ~* (p_operand #>> '{}'), false)
        when '$notRegexi' then coalesce(v_text collate "C" !~* (p_operand #>> '{}'), true)
        when '$exists' then (p_value = 'null'::jsonb) <> p_operand::boolean
        when '$type' then jsonb_typeof(p_value) = p_operand #>> '{}'
        when '$size' then jsonb_typeof(p_value) = 'array'
            and awf._meets_value(p_operand, to_jsonb(jsonb_array_length(p_value)), p_groups)
        when '$all' then awf._meets_all(p_operand, p_value, p_groups, false)
        when '$alli' then awf._meets_all(p_operand, p_value, p_groups, true)
        when '$elemMatch' then awf._meets_element(p_operand, p_value, p_groups)
        when '$not' then not awf._meets_value(p_operand, p_value, p_groups)
        else case
            when left(p_operator, 2) = '$v' then awf._meets_version(substr(p_operator, 3), p_value, p_operand #>> '{}')
            else awf._order_holds(substr(p_operator, 2), awf._compare_values(p_value, p_operand))
        end
    end;
end;
$$;
comment on function awf._meets_operator(text, jsonb, jsonb, jsonb) is 'One operator of a well-formed condition over one attribute; never NULL.';
