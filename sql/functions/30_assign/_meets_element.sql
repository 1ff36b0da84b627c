-- Whether a list has an element that meets a test; null meets none.
-- Called by _meets_operator() for $elemMatch.
-- Costs one test an element, up to the first that is met.
create or replace function awf._meets_element(p_test jsonb, p_value jsonb, p_groups jsonb)
returns boolean
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_value) <> 'array' then
        return false;
    end if;
    return exists (
        select from jsonb_array_elements(p_value) as v (value)
        where v.value <> 'null'::jsonb and case
            when awf._tests_value(p_test) then awf._meets_value(p_test, v.value, p_groups)
            else awf._meets_condition(p_test, v.value, p_groups)
        end
    );
end;
$$;
comment on function awf._meets_element(jsonb, jsonb, jsonb) is 'Operators test the elements themselves, a condition tests their fields.';
