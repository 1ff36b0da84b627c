-- Reads a setting that is true or false.
-- Called by the functions that the setting governs.
-- Costs one lookup.
create or replace function awf._setting_flag(p_name text)
returns boolean
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return coalesce((select s.value = 'true' from awf.settings as s where s.name = p_name), false);
end;
$$;
comment on function awf._setting_flag(text) is 'Value of a setting that is true or false; false when it is not set.';
