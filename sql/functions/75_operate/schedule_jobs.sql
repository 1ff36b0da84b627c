-- Has pg_cron run the jobs.
-- Called by an admin who may use schema cron; pg_cron then runs them as that role, so nobody gains a right by it.
-- Costs a few rows in cron.job.
create or replace function awf.schedule_jobs()
returns table (name text, schedule text, command text)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    perform awf._require_cron();
    -- Anew as a whole: a job that is disabled or gone is scheduled no more.
    perform awf.unschedule_jobs();
    for name, schedule, command in
        select 'awf ' || j.name, j.schedule, format('SELECT awf.run_job(%L, p_scheduler => ''pg_cron'')', j.name)
        from awf.jobs as j
        where j.enabled
        order by j.place, j.name
    loop
        execute format('select cron.schedule(%L, %L, %L)', name, schedule, command);
        return next;
    end loop;
end;
$$;
comment on function awf.schedule_jobs() is
'Schedules every enabled job with pg_cron, under the names "awf <job>", and returns them. Calling it again brings pg_cron in line with the
table jobs. pg_cron runs them as the role that called this, which must keep its rights as an admin; job_runs and
cron.job_run_details say what came of it.
Errors: WF406 (no pg_cron in this database, or the role may not use schema cron).
Example: SELECT * FROM awf.schedule_jobs();';
