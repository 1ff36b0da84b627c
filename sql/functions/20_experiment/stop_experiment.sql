-- Stops an experiment: from now on no unit is assigned.
-- Called by admins.
-- Locks the configuration; writes its row, its timeline and its slots.
create or replace function awf.stop_experiment(p_key text, p_conclusion text default null)
returns jsonb
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._lock_experiment(p_key);
    v_from constant timestamptz := awf._change_moment(v_id);
    v_has_begun constant boolean := awf._has_begun(v_id, v_from);
begin
    perform awf._require_safe_owner();
    perform awf._check_change(p_key, 'conclusion', to_jsonb(p_conclusion));
    -- One that was scheduled and never began has no stretch of time to close, and keeps its plan. For any other the plan of
    -- its coverage ends here: started again, it goes on with the coverage that it had.
    update awf.experiments as e set
        status = 'stopped',
        conclusion = coalesce(p_conclusion, e.conclusion),
        stop_at = case when v_has_begun then least(e.stop_at, v_from) else e.stop_at end,
        coverage = case when v_has_begun then awf._coverage_at(e.coverage, e.ramp, least(e.stop_at, v_from)) else e.coverage end,
        ramp = case when v_has_begun and e.ramp #>> '{0,at}' is not null then '[]' else e.ramp end
    where e.id = v_id and e.status = 'running';
    if not found then
        raise exception using
            errcode = 'WF106',
            message = format('experiment "%s" is not running', p_key),
            hint = 'awf.get_experiment() (awf-pg experiment show) shows its status.';
    end if;
    perform awf._put_in_force(v_id, v_from);
    return awf._experiment_document(p_key);
end;
$$;
comment on function awf.stop_experiment(text, text) is
'Stops a running experiment and returns it (see get_experiment): no unit is assigned any more. Its data stays; its slots are free.
p_conclusion: what came of it; NULL leaves what was written before.
Errors: WF101 (no such experiment), WF106 (it is not running), WF001 (a conclusion that is too long).
Example: SELECT awf.stop_experiment(''token-budget-test'', ''Longer turns, and no better ones.'');';
