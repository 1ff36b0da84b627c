-- The statements that schedule the jobs from another database, where pg_cron lives.
-- Called by admins and the CLI, who have a superuser run them there.
-- Costs nothing: it changes nothing.
create or replace function awf.cron_statements(p_role text default null, p_remove boolean default false)
returns setof text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_role constant text := coalesce(p_role, current_user);
begin
    if not exists (select from pg_catalog.pg_roles as r where r.rolname = v_role) then
        raise exception using
            errcode = 'WF404',
            message = format('role "%s" does not exist', v_role),
            hint = 'Name the admin as whom pg_cron shall run the jobs.';
    end if;
    return query select format(
        'select cron.unschedule(c.jobid) from cron.job as c where c.database = %L and c.username = %L '
        'and c.jobname like ''awf %%'' and c.command like ''SELECT awf.run_job(%%'';',
        current_database(), v_role
    );
    if p_remove is not true then
        return query
        select format(
            'select cron.schedule_in_database(%L, %L, %L, %L, %L);',
            format('awf %s (%s)', j.name, current_database()), j.schedule,
            format('SELECT awf.run_job(%L, p_scheduler => ''pg_cron'')', j.name),
            current_database(), v_role
        )
        from awf.jobs as j
        where j.enabled
        order by j.place, j.name;
    end if;
end;
$$;
comment on function awf.cron_statements(text, boolean) is
'SQL statements, one a row, that do what schedule_jobs() does (or unschedule_jobs(), with p_remove) where pg_cron lives in another
database of the server: a superuser runs them there. p_role: as whom pg_cron runs the jobs, an admin; NULL means the caller.
Errors: WF404 (no such role).
Example: SELECT * FROM awf.cron_statements(''ops'');';
