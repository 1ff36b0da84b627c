-- The job "partitions": makes the partitions of the days ahead.
-- Called by run_job(), every day.
-- Costs some 25 ms a new partition; waits a minute at most for who holds turn_events, then it fails.
create or replace function awf._job_partitions()
returns bigint
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set lock_timeout = '1min'
as $$
begin
    return (select count(*) filter (where p.made) from awf.ensure_partitions() as p);
end;
$$;
comment on function awf._job_partitions() is 'The job "partitions"; returns how many it made.';
