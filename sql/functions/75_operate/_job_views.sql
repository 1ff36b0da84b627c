-- The job "views": brings the materialised views up to date.
-- Called by run_job(), every five minutes.
-- Costs what refresh_views() costs; waits a minute at most for another refresh, then it fails.
create or replace function awf._job_views()
returns bigint
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set lock_timeout = '1min'
as $$
begin
    return (select sum(r.rows) from awf.refresh_views() as r);
end;
$$;
comment on function awf._job_views() is 'The job "views"; returns how many rows the views have.';
