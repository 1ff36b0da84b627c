-- The numbers of the variations that an event document names.
-- Called by _parse_event() and _assignments_fault().
-- Costs a few lookups for each variation.
create or replace function awf._event_assignments(p_event jsonb)
returns integer[]
language plpgsql
stable
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- The number that turn_params() gave is exact where the phase changed between the decision and the event.
    return (
        select array_agg(coalesce(
            (
                select v.id
                from awf.variation_ids as v
                inner join awf.experiments as e on v.experiment_id = e.id
                where e.key = a.experiment and v.variation_key = a.variation and v.id::text = a.number
            ),
            awf._variation_id(a.experiment, a.variation, awf._event_ts(p_event))
        ) order by a.place)
        from awf._event_variations(p_event) as a
    );
end;
$$;
comment on function awf._event_assignments(jsonb) is
'Numbers (variation_ids) of the event''s variations, in order, NULL for one that does not exist: the number that the document gives,
if it is one of the variation, or else that of the phase in force at its ts. NULL for an event without any.';
