-- Says what is wrong with what a condition asks of one attribute.
-- Called by _entries_fault(), _list_fault() and _operator_fault().
-- Costs a walk over it.
create or replace function awf._value_fault(p_test jsonb, p_path text)
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
    if jsonb_typeof(p_test) <> 'object' then
        return null;
    elsif p_test = '{}'::jsonb then
        return p_path || ': is empty';
    elsif not exists (select from jsonb_object_keys(p_test) as k (key) where left(k.key, 1) = '$') then
        return null;
    end if;
    for v_entry in select t.key, t.value, p_path || '.' || t.key as path from jsonb_each(p_test) as t loop
        v_fault := case
            when left(v_entry.key, 1) <> '$' then v_entry.path || ': stands beside operators and is none'
            when v_entry.key = any (awf._value_operators())
                then awf._operator_fault(v_entry.key, v_entry.value, v_entry.path)
            else v_entry.path || ': is not an operator'
        end;
        if v_fault is not null then
            return v_fault;
        end if;
    end loop;
    return null;
end;
$$;
comment on function awf._value_fault(jsonb, text) is 'The first fault of the operators; NULL when there is none, or a plain value.';
