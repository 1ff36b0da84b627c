-- One experiment as the evaluators read it: ranges, variations in their order, guardrails in their long form.
-- Called by active_config() and assign().
-- Costs three lookups.
create or replace function awf._experiment_config(p_id bigint)
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select jsonb_build_object(
            'key', e.key, 'hashBasis', e.hash_basis, 'hashSeed', e.hash_seed, 'hashVersion', e.hash_version,
            'startAt', e.start_at, 'stopAt', e.stop_at, 'condition', e.condition,
            'ranges', awf.bucket_ranges(jsonb_array_length(e.allocations), e.coverage, a.weights),
            'variations', a.variations,
            'guardrails', (
                select coalesce(jsonb_object_agg(g.key, case jsonb_typeof(g.value)
                    when 'number' then jsonb_build_object('max', g.value)
                    else g.value
                end), '{}')
                from jsonb_each(e.guardrails) as g
            )
        )
        from awf.experiments as e
        cross join lateral (
            select
                array_agg((l.entry ->> 'percent')::double precision / 100 order by l.place) as weights,
                jsonb_agg(
                    jsonb_build_object('key', v.variation_key, 'id', v.id, 'params', v.params) order by l.place
                ) as variations
            from jsonb_array_elements(e.allocations) with ordinality as l (entry, place)
            inner join awf.experiment_variations as v
                on e.key = v.experiment_key and v.variation_key = l.entry ->> 'variation'
        ) as a
        where e.id = p_id
    );
end;
$$;
comment on function awf._experiment_config(bigint) is 'The experiment''s entry of active_config().';
