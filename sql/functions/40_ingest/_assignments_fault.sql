-- Says which variation of an event document does not exist.
-- Called by _document_fault().
-- Costs a few lookups for each variation.
create or replace function awf._assignments_fault(p_event jsonb)
returns text
language plpgsql
stable
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_ids constant integer[] := awf._event_assignments(p_event);
begin
    if array_position(v_ids, null) is null then
        return null;
    end if;
    return (
        select format('unknown_variation: experiment "%s" has no variation "%s"', left(a.experiment, 80), left(a.variation, 80))
        from awf._event_variations(p_event) as a
        where a.place = array_position(v_ids, null)
    );
end;
$$;
comment on function awf._assignments_fault(jsonb) is '"unknown_variation: which one"; NULL when all of them exist.';
