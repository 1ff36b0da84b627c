-- Whether a list has, for every one of some values or tests, an element that meets it.
-- Called by _meets_operator() for $all and $alli.
-- Costs every element times every test at worst.
create or replace function awf._meets_all(p_tests jsonb, p_value jsonb, p_groups jsonb, p_fold boolean)
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
    return not exists (
        select from jsonb_array_elements(p_tests) as t (test)
        where not exists (
            select from jsonb_array_elements(p_value) as v (value)
            where awf._meets_value(t.test, v.value, p_groups, p_fold)
        )
    );
end;
$$;
comment on function awf._meets_all(jsonb, jsonb, jsonb, boolean) is 'Whether the value is a list with an element for every test.';
