-- Whether attributes meet a condition that is known to be well-formed.
-- Called by matches(), and by itself for the conditions inside.
-- Costs a walk over the condition, up to the first entry that is not met.
create or replace function awf._meets_condition(p_condition jsonb, p_attributes jsonb, p_groups jsonb)
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
    for v_entry in select c.key, c.value from jsonb_each(p_condition) as c loop
        if not (case v_entry.key
            when '$and' then awf._meets_any(v_entry.value, p_attributes, p_groups, false)
            when '$or' then awf._meets_any(v_entry.value, p_attributes, p_groups, true)
            when '$nor' then not awf._meets_any(v_entry.value, p_attributes, p_groups, true)
            when '$not' then not awf._meets_condition(v_entry.value, p_attributes, p_groups)
            else awf._meets_value(v_entry.value, awf._attribute_at(p_attributes, v_entry.key), p_groups)
        end) then
            return false;
        end if;
    end loop;
    return true;
end;
$$;
comment on function awf._meets_condition(jsonb, jsonb, jsonb) is 'Whether every entry of the condition is met.';
