-- The members of a saved group.
-- Called by _meets_operator() for $inGroup and $notInGroup.
-- Costs one lookup.
create or replace function awf._group_members(p_groups jsonb, p_group text)
returns jsonb
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return case jsonb_typeof(p_groups -> p_group) when 'array' then p_groups -> p_group else '[]'::jsonb end;
end;
$$;
comment on function awf._group_members(jsonb, text) is 'The list of a group; an empty one when there is no such list.';
