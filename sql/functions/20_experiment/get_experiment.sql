-- Shows one experiment.
-- Called by analysts, admins and the CLI.
-- Costs a few lookups.
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
'The experiment as JSON: {id, key, name, status, state, startAt, stopAt, phase, revision, coverage, ramp, hashBasis, hashSeed,
hashVersion, allocations, guardrails, condition, optIn, sticky, allowOverlap, layer, slots: [low, high], owner, hypothesis, tags,
conclusion, overrides: how many, phases: [{phase, startAt, endAt, running, coverage, allocations, ranges}] (the timeline, planned rows
included), variations: [{variationKey, params, createdAt, updatedAt}], createdAt, updatedAt}.
status: draft, running or stopped. state says more: draft, scheduled (its start lies ahead), running, ended (its stop_at has passed) or
stopped. coverage: the present one, where a ramp has come to.
Errors: WF101 (no such experiment).
Example: SELECT jsonb_pretty(awf.get_experiment(''token-budget-test''));';
