-- One experiment as the evaluators read it: its timeline, its params, guardrails in their long form.
-- Called by _config_document(), and by the functions that assign for one experiment.
-- Costs a few lookups and a walk over the timeline.
create or replace function awf._experiment_config(p_id bigint, p_as_draft boolean default false)
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
            'key', e.key, 'hashBasis', e.hash_basis, 'hashVersion', e.hash_version, 'optIn', e.opt_in, 'sticky', e.sticky,
            'layer', (
                select jsonb_build_array(
                    l.key, lower(e.slots) / 1000::double precision, upper(e.slots) / 1000::double precision
                )
                from awf.layers as l
                where l.id = e.layer_id
            ),
            'guardrails', (
                select coalesce(jsonb_object_agg(g.key, case jsonb_typeof(g.value)
                    when 'number' then jsonb_build_object('max', g.value)
                    else g.value
                end), '{}')
                from jsonb_each(e.guardrails) as g
            ),
            'params', (
                select coalesce(jsonb_object_agg(v.variation_key, v.params), '{}')
                from awf.experiment_variations as v
                where v.experiment_key = e.key
            ),
            'overrides', (
                select coalesce(jsonb_object_agg(o.unit_id, o.variation_key), '{}')
                from awf.experiment_overrides as o
                where o.experiment_id = e.id
            ),
            'phases', awf._config_phases(p_id, p_as_draft)
        )
        from awf.experiments as e
        where e.id = p_id
    );
end;
$$;
comment on function awf._experiment_config(bigint, boolean) is
'The experiment''s entry of active_config(). With p_as_draft its timeline is one phase without a beginning: what the experiment''s row
says now.';
