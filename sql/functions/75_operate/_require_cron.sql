-- Refuses where pg_cron cannot be used from this database by this role.
-- Called by schedule_jobs() and unschedule_jobs().
-- Costs a look into the catalogue.
create or replace function awf._require_cron()
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- The extension, not just a schema "cron": what stands in the schema of an extension is its owner's, a superuser's.
    if not exists (select from pg_catalog.pg_extension as x where x.extname = 'pg_cron') then
        raise exception using
            errcode = 'WF406',
            message = format('database "%s" has no pg_cron', current_database()),
            detail = 'pg_cron lives in one database of a server and has to be loaded when the server starts.',
            hint = 'Without it "awf-pg jobs run" runs the jobs. Where it is in another database: awf.cron_statements() (awf-pg jobs '
                || 'schedule --cron-dsn).';
    end if;
    if not has_schema_privilege('cron', 'usage') then
        raise exception using
            errcode = 'WF406',
            message = format('role "%s" may not use schema cron', current_user),
            hint = format('As a superuser: GRANT USAGE ON SCHEMA cron TO %I;', current_user);
    end if;
end;
$$;
comment on function awf._require_cron() is 'Raises WF406 without pg_cron, and for a role that may not use it.';
