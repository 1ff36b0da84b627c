-- Reads a numeric setting.
-- Called by the functions that the setting governs.
-- Costs one lookup.
create or replace function awf._setting_number(p_name text)
returns numeric
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (select (s.value #>> '{}')::numeric from awf.settings as s where s.name = p_name);
end;
$$;
comment on function awf._setting_number(text) is 'Value of a numeric setting; NULL when it is not set.';
