-- Reads a setting that is a list of names.
-- Called by the functions that the setting governs.
-- Costs one lookup.
create or replace function awf._setting_names(p_name text)
returns text[]
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return array(
        select n.name
        from awf.settings as s
        cross join lateral jsonb_array_elements_text(s.value) with ordinality as n (name, place)
        where s.name = p_name
        order by n.place
    );
end;
$$;
comment on function awf._setting_names(text) is 'Names in a setting that is a list; an empty list when there are none.';
