-- An experiment with its variations as one JSON document.
-- Called by every function that returns an experiment.
-- Costs two lookups.
create or replace function awf._experiment_document(p_key text)
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
            'id', e.id, 'key', e.key, 'name', e.name, 'status', e.status, 'startAt', e.start_at, 'stopAt', e.stop_at,
            'hashBasis', e.hash_basis, 'hashSeed', e.hash_seed, 'hashVersion', e.hash_version, 'coverage', e.coverage,
            'allocations', e.allocations, 'guardrails', e.guardrails, 'condition', e.condition,
            'createdAt', e.created_at, 'updatedAt', e.updated_at,
            'variations', coalesce(
                (
                    select jsonb_agg(awf._variation_document(v.experiment_key, v.variation_key) - 'experimentKey' order by v.id)
                    from awf.experiment_variations as v
                    where v.experiment_key = e.key
                ),
                '[]'::jsonb
            )
        )
        from awf.experiments as e
        where e.key = p_key
    );
end;
$$;
comment on function awf._experiment_document(text) is 'The experiment as JSON, with its variations; NULL when there is none.';
