-- Has pg_cron run the jobs no more.
-- Called by schedule_jobs() and by whoever called that.
-- Costs a few rows in cron.job.
create or replace function awf.unschedule_jobs()
returns table (name text)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_id bigint;
begin
    perform awf._require_cron();
    -- Known by the command as well: the job may have left the table, or another "awf ..." may be somebody's own.
    for v_id, name in
        -- The table is there at run time only.
        execute format(
            'select c.jobid, c.jobname::text from cron.job as c where c.database = %L and c.username = %L '
            'and c.jobname like ''awf %%'' and c.command like ''SELECT awf.run_job(%%'' order by c.jobid',
            current_database(), current_user
        )
    loop
        execute format('select cron.unschedule(%s)', v_id);
        return next;
    end loop;
end;
$$;
comment on function awf.unschedule_jobs() is
'Takes back what schedule_jobs() of the same role has scheduled, and returns the names. The log stays.
Errors: WF406 (no pg_cron in this database, or the role may not use schema cron).
Example: SELECT * FROM awf.unschedule_jobs();';
