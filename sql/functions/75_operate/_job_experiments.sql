-- The job "experiments": stops what has come to its end.
-- Called by run_job(), every minute.
-- Locks the configuration where there is something to stop; who holds it keeps the job waiting for five seconds, then it fails.
create or replace function awf._job_experiments()
returns bigint
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
as $$
declare
    v_key text;
    v_count bigint := 0;
begin
    -- Starts, steps of a ramp and ends are rows of the timeline, by which everybody evaluates: they happen by themselves, and the
    -- slots of an experiment are held up to its end only. What is left is the row that still says "running" afterwards.
    if exists (select from awf.experiments as e where e.status = 'running' and e.stop_at <= awf._now()) then
        -- Asked for again under the lock: somebody may have moved the end since.
        perform awf._lock_configuration();
        for v_key in
            select e.key from awf.experiments as e where e.status = 'running' and e.stop_at <= awf._now() order by e.stop_at, e.id
        loop
            perform awf.stop_experiment(v_key);
            v_count := v_count + 1;
        end loop;
    end if;
    return v_count;
end;
$$;
comment on function awf._job_experiments() is
'The job "experiments": stop_experiment() for each running experiment whose stop_at has passed; returns how many there were.';
