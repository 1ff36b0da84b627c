-- The job "retention": lets go of events that have been kept long enough.
-- Called by run_job(), every day.
-- Waits for a refresh at work, a minute at most, then it fails; else nobody else uses turn_events until the transaction ends.
create or replace function awf._job_retention()
returns bigint
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set lock_timeout = '1min'
as $$
begin
    return (select count(*) filter (where r.action = 'dropped') from awf.apply_retention() as r);
end;
$$;
comment on function awf._job_retention() is 'The job "retention"; returns how many days it dropped.';
