-- What a template keeps of an experiment.
-- Called by save_template().
-- Costs two lookups.
create or replace function awf._definition_of(p_id bigint)
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
        select jsonb_strip_nulls(jsonb_build_object('hypothesis', e.hypothesis)) || jsonb_build_object(
            'allocations', e.allocations, 'guardrails', e.guardrails, 'condition', e.condition, 'coverage',
            -- A timed plan is not kept, but where it leads is.
            case when e.ramp #>> '{0,at}' is null then e.coverage else (e.ramp #> '{-1,coverage}')::double precision end,
            'ramp', case when e.ramp #>> '{0,at}' is null then e.ramp else '[]' end,
            'hashBasis', e.hash_basis, 'optIn', e.opt_in, 'sticky', e.sticky, 'tags', e.tags,
            'variations', (
                select coalesce(jsonb_object_agg(v.variation_key, v.params), '{}')
                from awf.experiment_variations as v
                where v.experiment_key = e.key
            )
        )
        from awf.experiments as e
        where e.id = p_id
    );
end;
$$;
comment on function awf._definition_of(bigint) is
'The definition of the experiment for a template: fields as in update_experiment(), and its variations.';
