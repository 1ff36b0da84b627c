-- The configuration that clients evaluate locally: the knobs and every running experiment, as one document.
-- Called by clients once a minute.
-- Costs a scan of the running experiments.
create or replace function awf.active_config()
returns jsonb
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    return awf._config_document(false);
end;
$$;
comment on function awf.active_config() is
'What a client needs to assign units and choose params without asking the database again:
{"version": 2, "revision": n, "knobs": {name: {"type", "min", "max"}}, "experiments": [{"key", "hashBasis", "hashVersion", "optIn",
"sticky", "layer": null or [layer, low, high], "guardrails": {knob: {"min", "max"}}, "params": {variation: {knob: value}},
"overrides": {unit: variation}, "phases": [{"phase", "startAt", "coverage", "hashSeed", "condition", "bucketVersion",
"minBucketVersion", "ranges": [[low, high], ...], "variations": [{"key", "id"}, ...] in the order of the ranges}, ...]}, ...]}.
Experiments stand in the order in which they apply. "phases" is the whole timeline, oldest first: an entry is in force from its
startAt to the next one''s; without ranges nobody is in. Budgets are folded into the knobs'' max. Where the setting
exposure_attributes names attributes, "exposureAttributes": [name, ...] stands beside "experiments".
Example: SELECT jsonb_pretty(awf.active_config());';
