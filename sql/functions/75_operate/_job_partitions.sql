-- The job "partitions": makes the partitions of the days ahead.
-- Called by run_job(), every day.
-- Costs some 25 ms a new partition.
create or replace function awf._job_partitions()
returns bigint
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (select count(*) filter (where p.made) from awf.ensure_partitions() as p);
end;
$$;
comment on function awf._job_partitions() is 'The job "partitions"; returns how many it made.';
