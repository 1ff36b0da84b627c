-- The variations that an event document names: the list "assignments", or else its one experiment and variation key.
-- Called by _assignments_fault() and _event_assignments().
-- Costs nothing to speak of.
create or replace function awf._event_variations(p_event jsonb)
returns jsonb
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_experiment constant text := coalesce(p_event ->> 'experiment_key', p_event ->> 'experimentKey');
    v_variation constant text := coalesce(p_event ->> 'variation_key', p_event ->> 'variationKey');
begin
    return case
        when jsonb_typeof(p_event -> 'assignments') = 'array' then p_event -> 'assignments'
        when v_experiment is null and v_variation is null then '[]'
        else jsonb_build_array(jsonb_build_object('experiment', v_experiment, 'variation', v_variation))
    end;
end;
$$;
comment on function awf._event_variations(jsonb) is
'List of {"experiment", "variation", "id"} of an event document, as it is given: the number of the variation may be missing or wrong.';
