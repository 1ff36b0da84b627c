-- The dictionary number of one text, made if it is missing.
-- Called by _record_event().
-- Costs one lookup.
create or replace function awf._dimension_id(p_kind text, p_value text)
returns integer
language plpgsql
volatile
strict
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id integer;
begin
    select d.id into v_id from awf.dimensions as d where d.kind = p_kind and d.value = p_value;
    if v_id is null then
        perform awf._add_dimensions(p_kind, array[p_value]);
        select d.id into v_id from awf.dimensions as d where d.kind = p_kind and d.value = p_value;
    end if;
    return v_id;
end;
$$;
comment on function awf._dimension_id(text, text) is 'Number of a text in the dictionary of a kind; NULL for NULL.';
