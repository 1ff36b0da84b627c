-- Shows one experiment.
-- Called by analysts, admins and the CLI.
-- Costs three lookups.
create or replace function awf.get_experiment(p_key text)
returns jsonb
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._find_experiment(p_key);
    return awf._experiment_document(p_key);
end;
$$;
comment on function awf.get_experiment(text) is
'The experiment as JSON: {id, key, name, status, startAt, stopAt, hashBasis, hashSeed, hashVersion, coverage, allocations,
guardrails, condition, variations: [{variationKey, params, createdAt, updatedAt}], createdAt, updatedAt}.
Errors: WF101 (no such experiment).
Example: SELECT jsonb_pretty(awf.get_experiment(''token-budget-test''));';
