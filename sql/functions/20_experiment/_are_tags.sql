-- Says whether a JSON value is a list of tags.
-- Called by _check_change().
-- Costs a walk over the list.
create or replace function awf._are_tags(p_value jsonb)
returns boolean
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_value) <> 'array' or jsonb_array_length(p_value) > 50 then
        return false;
    end if;
    return not exists (
        select from jsonb_array_elements(p_value) as t (tag)
        where jsonb_typeof(t.tag) <> 'string' or length(t.tag #>> '{}') not between 1 and 100
    );
end;
$$;
comment on function awf._are_tags(jsonb) is 'True for a list of at most 50 texts of 1 to 100 characters.';
