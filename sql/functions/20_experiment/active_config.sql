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
    return jsonb_build_object(
        'version', 1,
        'revision', (select c.revision from awf.config_state as c),
        'knobs', (
            select coalesce(jsonb_object_agg(b.knob, jsonb_build_object('type', b.type, 'min', b.low, 'max', b.high)), '{}')
            from awf._knob_bounds('{}') as b
        ),
        'experiments', (
            select coalesce(jsonb_agg(awf._experiment_config(e.id) order by e.start_at, e.id), '[]')
            from awf.experiments as e
            where e.status = 'running'
        )
    );
end;
$$;
comment on function awf.active_config() is
'What a client needs to assign units and choose params without asking the database again:
{"version": 1, "revision": n, "knobs": {name: {"type", "min", "max"}}, "experiments": [{"key", "hashBasis", "hashSeed",
"hashVersion", "startAt", "stopAt", "condition", "ranges": [[low, high], ...], "variations": [{"key", "id", "params"}, ...]
in the order of the ranges, "guardrails": {knob: {"min", "max"}}}, ...] in the order in which they apply}. Budgets are folded into the knobs'' max.
Example: SELECT jsonb_pretty(awf.active_config());';
