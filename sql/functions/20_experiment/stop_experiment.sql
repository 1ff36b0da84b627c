-- Stops an experiment: from now on no unit is assigned.
-- Called by admins.
-- Locks and writes one row.
create or replace function awf.stop_experiment(p_key text)
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
    -- One that was scheduled and never began has no stretch of time to close: stop_at must lie after start_at.
    update awf.experiments as e set
        status = 'stopped',
        stop_at = case when e.start_at < awf._now() then least(e.stop_at, awf._now()) else e.stop_at end
    where e.id = v_id and e.status = 'running';
    if not found then
        raise exception using
            errcode = 'WF106',
            message = format('experiment "%s" is not running', p_key),
            hint = 'awf.get_experiment() (awf-pg experiment show) shows its status.';
    end if;
    return awf._experiment_document(p_key);
end;
$$;
comment on function awf.stop_experiment(text) is
'Stops a running experiment and returns it (see get_experiment): no unit is assigned any more. Its data stays.
Errors: WF101 (no such experiment), WF106 (it is not running).
Example: SELECT awf.stop_experiment(''token-budget-test'');';
