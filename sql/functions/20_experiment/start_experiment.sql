-- Starts an experiment: from now on, or from its start_at on, units are assigned.
-- Called by admins.
-- Locks and writes one row.
create or replace function awf.start_experiment(p_key text)
returns jsonb
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._find_experiment(p_key, true);
begin
    perform awf._require_safe_owner();
    perform awf._require_startable(v_id);
    perform awf._require_variations(p_key, 'WF107');
    perform awf._check_params(p_key, v.variation_key, v.params, e.guardrails)
    from awf.experiments as e
    inner join awf.experiment_variations as v on e.key = v.experiment_key
    where e.id = v_id;
    -- Starting again after a stop lifts the end that the stop had set.
    update awf.experiments as e set
        status = 'running',
        start_at = coalesce(e.start_at, awf._now()),
        stop_at = case when e.status = 'stopped' then null else e.stop_at end
    where e.id = v_id;
    return awf._experiment_document(p_key);
end;
$$;
comment on function awf.start_experiment(text) is
'Sets a draft or stopped experiment running and returns it (see get_experiment). Without a start_at it is in force from now on.
Errors: WF101 (no such experiment), WF106 (running already, nothing allocated, or its stop_at has passed), WF107 (an allocated
variation does not exist), WF108, WF109, WF110 (params that do not fit the knobs or guardrails of today).
Example: SELECT awf.start_experiment(''token-budget-test'');';
