-- Says whether a document is a list of names that a setting may hold.
-- Called by set_setting().
-- Costs next to nothing.
create or replace function awf._are_names(p_value jsonb)
returns boolean
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_value) is distinct from 'array' or jsonb_array_length(p_value) > 20 then
        return false;
    end if;
    return (
        select
            count(*) = count(distinct n.entry)
            and coalesce(bool_and(jsonb_typeof(n.entry) = 'string' and n.entry #>> '{}' ~ '^[A-Za-z_][A-Za-z0-9_.-]{0,62}$'), true)
        from jsonb_array_elements(p_value) as n (entry)
    );
end;
$$;
comment on function awf._are_names(jsonb) is
'True for a list of at most 20 different texts, each a letter or "_" and up to 62 letters, digits, ".", "_" or "-".';
