-- The numbers of the variations that an event document names.
-- Called by _parse_event().
-- Costs one lookup for each variation.
create or replace function awf._event_assignments(p_event jsonb)
returns integer[]
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select array_agg(awf._variation_id(a.experiment, a.variation) order by a.place)
        from awf._event_variations(p_event) as a
    );
end;
$$;
comment on function awf._event_assignments(jsonb) is 'Numbers (variation_ids) of the event''s variations, in order; NULL for none.';
