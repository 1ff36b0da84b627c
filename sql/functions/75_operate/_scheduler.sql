-- Who runs a job, as far as the session says.
-- Called by _log_run().
-- Costs nothing.
create or replace function awf._scheduler()
returns text
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return case
        when current_setting('application_name') = 'pg_cron' then 'pg_cron'
        when current_setting('application_name') like 'awf-pg%' then 'awf-pg'
        else awf._caller()::text
    end;
end;
$$;
comment on function awf._scheduler() is 'pg_cron, awf-pg (both by application_name), or the role of the caller.';
