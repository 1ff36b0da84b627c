-- Says what is wrong with a list of conditions or of tests.
-- Called by _entries_fault() and _operator_fault().
-- Costs a walk over the list.
create or replace function awf._list_fault(p_list jsonb, p_path text, p_conditions boolean)
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
    if jsonb_typeof(p_list) <> 'array' then
        return p_path || ': must be a list';
    end if;
    for v_entry in
        select l.value, format('%s[%s]', p_path, l.ordinality - 1) as path
        from jsonb_array_elements(p_list) with ordinality as l
        order by l.ordinality
    loop
        v_fault := case
            when p_conditions then awf._entries_fault(v_entry.value, v_entry.path)
            else awf._value_fault(v_entry.value, v_entry.path)
        end;
        if v_fault is not null then
            return v_fault;
        end if;
    end loop;
    return null;
end;
$$;
comment on function awf._list_fault(jsonb, text, boolean) is 'The first fault of the list; p_conditions: its entries are conditions, otherwise tests of a value.';
