-- Says what is wrong with one entry of an experiment's allocations.
-- Called by _check_allocations().
-- Costs nothing to speak of.
create or replace function awf._allocation_fault(p_entry jsonb)
returns text
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_entry) <> 'object' then
        return format('have an entry %s that is not an object', left(p_entry::text, 100));
    elsif jsonb_typeof(p_entry -> 'variation') is distinct from 'string' then
        return format('have an entry %s without a variation', left(p_entry::text, 100));
    elsif jsonb_typeof(p_entry -> 'percent') is distinct from 'number' then
        return format('have no percent for variation "%s"', left(p_entry ->> 'variation', 63));
    elsif (p_entry ->> 'percent')::numeric not between 0 and 100 then
        return format('give variation "%s" %s percent', left(p_entry ->> 'variation', 63), left(p_entry ->> 'percent', 40));
    elsif p_entry - 'variation' - 'percent' <> '{}'::jsonb then
        return format('have an entry %s with an unknown field', left(p_entry::text, 100));
    end if;
    return null;
end;
$$;
comment on function awf._allocation_fault(jsonb) is 'The fault of one allocation entry in words; NULL when it has none.';
