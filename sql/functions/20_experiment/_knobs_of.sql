-- The knobs that an experiment sets.
-- Called by _knob_conflicts().
-- Costs a scan of its variations.
create or replace function awf._knobs_of(p_id bigint)
returns text[]
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return array(
        select distinct k.knob
        from awf.experiments as e
        cross join lateral jsonb_array_elements(e.allocations) as a (entry)
        inner join awf.experiment_variations as v on e.key = v.experiment_key and v.variation_key = a.entry ->> 'variation'
        cross join lateral jsonb_object_keys(v.params) as k (knob)
        where e.id = p_id
    );
end;
$$;
comment on function awf._knobs_of(bigint) is 'Names of the knobs that any allocated variation of the experiment sets.';
