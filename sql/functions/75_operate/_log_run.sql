-- Writes a run of a job to the log, and takes out what has been there long enough.
-- Called by run_job().
-- Looks at the 1,000 oldest rows, which the log of a day has outgrown by far when they go.
create or replace function awf._log_run(
    p_job text, p_started_at timestamptz, p_duration_ms numeric, p_rows bigint, p_code text, p_error text, p_scheduler text
)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into awf.job_runs (job, started_at, duration_ms, rows, code, error, scheduler)
    values (p_job, p_started_at, p_duration_ms, p_rows, p_code, p_error, p_scheduler);
    -- Another job's run may be at the same rows; neither waits for the other. The newest run of a job says when it is due again.
    delete from awf.job_runs as r
    where r.id in (select o.id from awf.job_runs as o order by o.id limit 1000 for update skip locked)
        and r.started_at < awf._now() - awf._setting_number('job_log_keep_days')::double precision * interval '1 day'
        and exists (select from awf.job_runs as n where n.job = r.job and n.id > r.id);
end;
$$;
comment on function awf._log_run(text, timestamptz, numeric, bigint, text, text, text) is
'Adds a row to job_runs and removes old ones (job_log_keep_days), but never the newest of a job.';
