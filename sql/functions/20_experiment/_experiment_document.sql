-- An experiment with its variations as one JSON document.
-- Called by every function that returns an experiment.
-- Costs a few lookups.
create or replace function awf._experiment_document(p_key text)
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
set extra_float_digits = 1
as $$
begin
    return (
        select jsonb_build_object(
            'id', e.id, 'key', e.key, 'name', e.name, 'status', e.status, 'startAt', e.start_at, 'stopAt', e.stop_at,
            'state', awf._experiment_state(e.status, e.start_at, e.stop_at, awf._now()),
            'phase', e.phase, 'revision', e.revision, 'coverage', awf._present_coverage(e.id), 'ramp', e.ramp,
            'hashBasis', e.hash_basis, 'hashSeed', e.hash_seed, 'hashVersion', e.hash_version,
            'allocations', e.allocations, 'guardrails', e.guardrails, 'condition', e.condition,
            'optIn', e.opt_in, 'sticky', e.sticky, 'allowOverlap', e.allow_overlap,
            'layer', (select l.key from awf.layers as l where l.id = e.layer_id),
            'slots', case when e.slots is not null then jsonb_build_array(lower(e.slots), upper(e.slots)) end,
            'owner', e.owner, 'hypothesis', e.hypothesis, 'tags', e.tags, 'conclusion', e.conclusion,
            'overrides', (select count(*) from awf.experiment_overrides as o where o.experiment_id = e.id),
            'phases', awf._phases_document(e.id),
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
