-- Reads slots of a layer: [low, high] with whole numbers from 0 to 1000.
-- Called wherever slots come from a JSON document.
-- Costs nothing to speak of.
create or replace function awf._slots_range(p_slots jsonb)
returns int4range
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_slots) <> 'array' or jsonb_array_length(p_slots) <> 2
        or jsonb_typeof(p_slots -> 0) <> 'number' or jsonb_typeof(p_slots -> 1) <> 'number' then
        return null;
    elsif (p_slots -> 0)::numeric % 1 <> 0 or (p_slots -> 1)::numeric % 1 <> 0
        or (p_slots -> 0)::numeric < 0 or (p_slots -> 1)::numeric > 1000
        or (p_slots -> 0)::numeric >= (p_slots -> 1)::numeric then
        return null;
    end if;
    return int4range((p_slots -> 0)::integer, (p_slots -> 1)::integer);
end;
$$;
comment on function awf._slots_range(jsonb) is 'The range [low,high) of the slots; NULL when the value is no such pair.';
