-- The variations of a phase with the numbers that its events carry.
-- Called by _config_phases().
-- Costs one lookup a variation.
create or replace function awf._phase_variations(p_id bigint, p_phase integer, p_allocations jsonb)
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select coalesce(jsonb_agg(jsonb_build_object('key', a.entry -> 'variation', 'id', n.id) order by a.place), '[]')
        from jsonb_array_elements(p_allocations) with ordinality as a (entry, place)
        left join awf.variation_ids as n
            on n.experiment_id = p_id and n.phase = p_phase and n.variation_key = a.entry ->> 'variation'
    );
end;
$$;
comment on function awf._phase_variations(bigint, integer, jsonb) is
'[{"key", "id"}, ...] in the order of the allocations; the id is null where a variation is still missing.';
