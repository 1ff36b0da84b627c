-- Whether one attribute meets its part of a condition: operators, or a value that it must equal.
-- Called by _meets_condition(), _meets_operator() and _meets_all().
-- Costs what the operators cost.
create or replace function awf._meets_value(p_test jsonb, p_value jsonb, p_groups jsonb, p_fold boolean default false)
returns boolean
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_entry record;
begin
    -- A well-formed object has operators only or none, so its first key tells.
    if starts_with(p_test::text, '{"$') then
        for v_entry in select t.key, t.value from jsonb_each(p_test) as t loop
            if not awf._meets_operator(v_entry.key, v_entry.value, p_value, p_groups) then
                return false;
            end if;
        end loop;
        return true;
    elsif p_fold and jsonb_typeof(p_test) = 'string' then
        return awf._fold_case(p_test) = awf._fold_case(p_value);
    end if;
    return awf._same_value(p_test, p_value);
end;
$$;
comment on function awf._meets_value(jsonb, jsonb, jsonb, boolean) is 'p_fold: a text is compared without regard to the case of ASCII letters.';
