-- Runs one job now and logs what came of it.
-- Called by pg_cron, "awf-pg jobs run", run_jobs() and admins; alone in its transaction, which ends with it.
-- Holds the row of the job, and whatever the job locks, until the transaction ends.
create or replace function awf.run_job(p_name text, p_only_due boolean default false, p_scheduler text default null)
returns table (
    job text, outcome text, started_at timestamptz, duration_ms numeric, rows bigint, code text, error text
)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_enabled boolean;
    v_every interval;
    v_last timestamptz;
    v_clock constant timestamptz := clock_timestamp();
begin
    perform awf._require_safe_owner();
    perform awf._require_job(p_name);
    job := p_name;
    select j.enabled, j.every into v_enabled, v_every from awf.jobs as j where j.name = p_name for update skip locked;
    if not found then
        outcome := 'busy';
    elsif not v_enabled then
        outcome := 'disabled';
    else
        -- Asked for under the lock, so that of two who found the job due one runs it.
        select r.started_at into v_last from awf.job_runs as r where r.job = p_name order by r.id desc limit 1;
        if p_only_due and awf._job_due_at(v_every, v_last) > awf._moment() then
            outcome := 'not due';
        else
            started_at := awf._moment();
            select a.rows, a.code, a.error into rows, code, error from awf._attempt_job(p_name) as a;
            outcome := case when code is null then 'done' else 'failed' end;
            duration_ms := round((extract(epoch from clock_timestamp() - v_clock) * 1000)::numeric, 3);
            perform awf._log_run(p_name, started_at, duration_ms, rows, code, error, coalesce(left(p_scheduler, 63), awf._caller()));
        end if;
    end if;
    return next;
end;
$$;
comment on function awf.run_job(text, boolean, text) is
'Runs a job and returns one row. outcome: done, failed (code and error say why, what the job did is undone), busy (it is running
elsewhere), disabled, or with p_only_due: not due. Runs that were done or failed are in job_runs. A failure of the job is no error of
this function, nor is a cancelled run (57014: by hand or by statement_timeout): look at the outcome. rows is what the job counts. p_scheduler: who the
log says ran it; NULL means the role of the caller.
Errors: WF405 (no such job).
Example: SELECT outcome, rows, error FROM awf.run_job(''refresh'');';
