-- Whether a list of scalars holds an attribute, or one element of an attribute that is a list.
-- Called by _meets_operator().
-- Costs a search of the list.
create or replace function awf._in_list(p_value jsonb, p_list jsonb)
returns boolean
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return case jsonb_typeof(p_value)
        when 'object' then false
        when 'array' then exists (
            select from jsonb_array_elements(p_value) as v (value)
            where jsonb_typeof(v.value) not in ('array', 'object') and awf._in_list(v.value, p_list)
        )
        when 'number' then p_list @> p_value or exists (
            select from jsonb_array_elements(p_list) as l (value) where awf._same_value(l.value, p_value)
        )
        else p_list @> p_value
    end;
end;
$$;
comment on function awf._in_list(jsonb, jsonb) is 'Whether the value, or one of its elements, equals an element of the list; lists and objects equal nothing.';
