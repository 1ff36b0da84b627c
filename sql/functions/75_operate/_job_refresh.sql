-- The job "refresh": adds new batches to the rollups until none is left.
-- Called by run_job(), every minute.
-- Begins no further round after half a minute: what then waits is for the next run.
create or replace function awf._job_refresh()
returns bigint
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_until constant timestamptz := clock_timestamp() + interval '30 seconds';
    v_batches bigint;
    v_events bigint;
    v_total bigint := 0;
begin
    loop
        select r.batches, r.events into v_batches, v_events from awf.refresh_rollups() as r;
        v_total := v_total + v_events;
        exit when v_batches = 0 or clock_timestamp() > v_until;
    end loop;
    return v_total;
end;
$$;
comment on function awf._job_refresh() is 'The job "refresh"; returns the events that it added.';
