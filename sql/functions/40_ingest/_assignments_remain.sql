-- The assignments of a refused event that may be kept: numbers, or the keys of an experiment and a variation and its number.
-- Called by _event_remains().
-- Costs a walk over the list.
create or replace function awf._assignments_remain(p_assignments jsonb)
returns jsonb
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_assignments) <> 'array' then
        return null;
    end if;
    return (
        select coalesce(jsonb_agg(case jsonb_typeof(a.entry)
            when 'number' then a.entry
            else jsonb_strip_nulls(jsonb_build_object(
                'experiment', left(a.entry ->> 'experiment', 63),
                'variation', left(a.entry ->> 'variation', 63),
                'id', case when jsonb_typeof(a.entry -> 'id') = 'number' then a.entry -> 'id' end
            ))
        end order by a.place), '[]')
        from jsonb_array_elements(p_assignments) with ordinality as a (entry, place)
        where jsonb_typeof(a.entry) in ('number', 'object')
    );
end;
$$;
comment on function awf._assignments_remain(jsonb) is 'The list''s numbers and keys; NULL when it is none.';
