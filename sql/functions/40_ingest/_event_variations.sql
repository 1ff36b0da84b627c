-- The variations that an event document names: the list "assignments", or else its one experiment and variation key.
-- Called by _assignments_fault() and _event_assignments().
-- Costs a walk over the list.
create or replace function awf._event_variations(p_event jsonb)
returns table (experiment text, variation text, number text, place bigint)
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_event -> 'assignments') = 'array' then
        return query
        select a.entry ->> 'experiment', a.entry ->> 'variation', a.entry ->> 'id', a.place
        from jsonb_array_elements(p_event -> 'assignments') with ordinality as a (entry, place);
    else
        return query
        select k.experiment, k.variation, null, 1::bigint
        from (
            select
                coalesce(p_event ->> 'experiment_key', p_event ->> 'experimentKey') as experiment,
                coalesce(p_event ->> 'variation_key', p_event ->> 'variationKey') as variation
        ) as k
        where k.experiment is not null or k.variation is not null;
    end if;
end;
$$;
comment on function awf._event_variations(jsonb) is
'Experiment and variation keys of an event document, and the number it gives the variation, in order.';
