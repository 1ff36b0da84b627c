-- Lists the variations of an experiment.
-- Called by readers, admins and the CLI.
-- Costs two lookups.
create or replace function awf.list_variations(p_experiment_key text)
returns table (variation_key text, percent numeric, params jsonb, created_at timestamptz, updated_at timestamptz)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._find_experiment(p_experiment_key);
    return query
    select v.variation_key, coalesce((a.entry ->> 'percent')::numeric, 0), v.params, v.created_at, v.updated_at
    from awf.experiments as e
    inner join awf.experiment_variations as v on e.key = v.experiment_key
    left join lateral jsonb_array_elements(e.allocations) as a (entry) on a.entry ->> 'variation' = v.variation_key
    where e.key = p_experiment_key
    order by v.id;
end;
$$;
comment on function awf.list_variations(text) is
'The variations of an experiment in the order of creation, each with its share of the units in percent (0 when not allocated).
Errors: WF101 (no such experiment).
Example: SELECT * FROM awf.list_variations(''token-budget-test'');';
