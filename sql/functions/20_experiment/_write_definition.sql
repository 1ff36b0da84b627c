-- Writes changes of an experiment that were checked; a field that is not named stays as it is.
-- Called by _change_experiment().
-- Writes one row.
create or replace function awf._write_definition(p_key text, p_changes jsonb)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    update awf.experiments as e set
        name = coalesce(p_changes ->> 'name', e.name),
        allocations = coalesce(p_changes -> 'allocations', e.allocations),
        guardrails = coalesce(p_changes -> 'guardrails', e.guardrails),
        condition = coalesce(p_changes -> 'condition', e.condition),
        hash_basis = coalesce(p_changes ->> 'hashBasis', e.hash_basis),
        hash_seed = coalesce(p_changes ->> 'hashSeed', e.hash_seed),
        hash_version = coalesce((p_changes -> 'hashVersion')::smallint, e.hash_version),
        coverage = coalesce(awf._to_double((p_changes -> 'coverage')::numeric), e.coverage),
        ramp = coalesce(awf._ramp_document(p_changes -> 'ramp'), e.ramp),
        start_at = case when p_changes ? 'startAt' then awf._to_timestamp(p_changes ->> 'startAt') else e.start_at end,
        stop_at = case when p_changes ? 'stopAt' then awf._to_timestamp(p_changes ->> 'stopAt') else e.stop_at end,
        layer_id = case
            when p_changes ? 'layer' then (select l.id from awf.layers as l where l.key = p_changes ->> 'layer')
            else e.layer_id
        end,
        slots = case
            when p_changes ? 'slots' then awf._slots_range(p_changes -> 'slots')
            when p_changes -> 'layer' = 'null' then null
            else e.slots
        end,
        opt_in = coalesce((p_changes -> 'optIn')::boolean, e.opt_in),
        sticky = coalesce((p_changes -> 'sticky')::boolean, e.sticky),
        allow_overlap = coalesce((p_changes -> 'allowOverlap')::boolean, e.allow_overlap),
        owner = case when p_changes ? 'owner' then p_changes ->> 'owner' else e.owner end,
        hypothesis = case when p_changes ? 'hypothesis' then p_changes ->> 'hypothesis' else e.hypothesis end,
        conclusion = case when p_changes ? 'conclusion' then p_changes ->> 'conclusion' else e.conclusion end,
        tags = case
            when p_changes ? 'tags' then array(select t.tag from jsonb_array_elements_text(p_changes -> 'tags') as t (tag))
            else e.tags
        end
    where e.key = p_key;
end;
$$;
comment on function awf._write_definition(text, jsonb) is 'Sets the fields that the document names.';
