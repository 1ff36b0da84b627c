-- Says which variation of an event document does not exist.
-- Called by _document_fault().
-- Costs nothing where all exist.
create or replace function awf._assignments_fault(p_event jsonb, p_assignments integer[])
returns text
language plpgsql
stable
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if array_position(p_assignments, null) is null then
        return null;
    end if;
    return (
        select format(
            'unknown_variation: experiment "%s" has no variation "%s"', left(a.entry ->> 'experiment', 80), left(a.entry ->> 'variation', 80)
        )
        from jsonb_array_elements(awf._event_variations(p_event)) with ordinality as a (entry, place)
        where a.place = array_position(p_assignments, null)
    );
end;
$$;
comment on function awf._assignments_fault(jsonb, integer[]) is '"unknown_variation: which one" for the first NULL among the numbers of the event''s variations; NULL when all of them exist.';
