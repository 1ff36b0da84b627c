-- A variation as one JSON document.
-- Called by every function that returns a variation.
-- Costs one lookup.
create or replace function awf._variation_document(p_experiment_key text, p_variation_key text)
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
            'experimentKey', v.experiment_key, 'variationKey', v.variation_key, 'params', v.params,
            'createdAt', v.created_at, 'updatedAt', v.updated_at
        )
        from awf.experiment_variations as v
        where v.experiment_key = p_experiment_key and v.variation_key = p_variation_key
    );
end;
$$;
comment on function awf._variation_document(text, text) is 'The variation as JSON; NULL when there is none.';
