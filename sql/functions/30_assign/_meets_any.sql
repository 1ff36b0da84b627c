-- Whether attributes meet one condition of a list, or all of them.
-- Called by _meets_condition() for $or, $nor and $and.
-- Costs a walk over the list, up to the one that decides.
create or replace function awf._meets_any(p_conditions jsonb, p_attributes jsonb, p_groups jsonb, p_any boolean)
returns boolean
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_condition jsonb;
begin
    for v_condition in select c.value from jsonb_array_elements(p_conditions) as c loop
        if awf._meets_condition(v_condition, p_attributes, p_groups) = p_any then
            return p_any;
        end if;
    end loop;
    return not p_any or p_conditions = '[]'::jsonb;
end;
$$;
comment on function awf._meets_any(jsonb, jsonb, jsonb, boolean) is 'p_any: one of them is enough; otherwise it takes all. An empty list is met.';
