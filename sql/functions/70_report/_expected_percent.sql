-- The share of the units that a phase meant for a variation.
-- Called by experiment_report().
-- Costs one lookup.
create or replace function awf._expected_percent(p_experiment_id bigint, p_phase integer, p_variation_key text)
returns numeric
language plpgsql
stable
strict
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Any row of the phase will do: its allocations stay as they are.
    return (
        select coalesce(
            (
                select (a.entry ->> 'percent')::numeric
                from jsonb_array_elements(p.allocations) as a (entry)
                where a.entry ->> 'variation' = p_variation_key
            ),
            0
        )
        from awf.experiment_phases as p
        where p.experiment_id = p_experiment_id and p.phase = p_phase
        limit 1
    );
end;
$$;
comment on function awf._expected_percent(bigint, integer, text) is
'Percent of the units in the experiment that the phase allocates to the variation; NULL for a phase that never began.';
