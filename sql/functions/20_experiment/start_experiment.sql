-- Starts an experiment: from now on, or from its start_at on, units are assigned.
-- Called by admins.
-- Locks the configuration; writes its row, its timeline and its slots.
create or replace function awf.start_experiment(p_key text, p_revision bigint default null)
returns jsonb
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._lock_experiment(p_key, p_revision);
    v_from timestamptz;
begin
    perform awf._require_safe_owner();
    perform awf._require_startable(v_id);
    perform awf._require_variations(p_key, 'WF107');
    perform awf._check_all_params(v_id);
    -- The first start may lie in the past: a replay. Another one begins now, for nobody was in while it was stopped.
    select case e.status when 'draft' then coalesce(e.start_at, awf._now()) else awf._change_moment(v_id) end into v_from
    from awf.experiments as e
    where e.id = v_id;
    -- Starting again after a stop lifts the end that the stop had set. A plan on demand begins with its first step.
    update awf.experiments as e set
        status = 'running',
        start_at = case when awf._has_begun(v_id, v_from) then e.start_at else v_from end,
        stop_at = case when e.status = 'stopped' and e.stop_at <= v_from then null else e.stop_at end,
        coverage = case e.status when 'draft' then awf._first_coverage(e.coverage, e.ramp) else e.coverage end
    where e.id = v_id;
    perform awf._put_in_force(v_id, v_from);
    return awf._experiment_document(p_key);
end;
$$;
comment on function awf.start_experiment(text, bigint) is
'Sets a draft or stopped experiment running and returns it (see get_experiment). Without a start_at it is in force from now on; a
start_at in the past makes a replay. Its slots are taken from then on, up to its stop_at.
p_revision: refuse unless the experiment is at this revision.
Errors: WF101 (no such experiment), WF114 (another revision), WF106 (running already, nothing allocated, or its stop_at has passed),
WF107 (an allocated variation does not exist), WF108, WF109, WF110 (params that do not fit the knobs or guardrails of today),
WF115 (slots are taken), WF116 (another experiment sets one of its knobs).
Example: SELECT awf.start_experiment(''token-budget-test'');';
