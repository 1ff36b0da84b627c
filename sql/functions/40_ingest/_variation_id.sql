-- The number of a variation of an experiment that exists.
-- Called when an event names its variations by key.
-- Costs one lookup.
create or replace function awf._variation_id(p_experiment_key text, p_variation_key text)
returns integer
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select v.id
        from awf.experiment_variations as v
        where v.experiment_key = p_experiment_key and v.variation_key = p_variation_key
    );
end;
$$;
comment on function awf._variation_id(text, text) is 'Number of the variation in variation_ids; NULL when there is none.';
