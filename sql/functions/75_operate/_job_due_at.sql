-- When a job is due again.
-- Called by list_jobs() and run_job().
-- Costs nothing.
create or replace function awf._job_due_at(p_every interval, p_last timestamptz)
returns timestamptz
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- By whole stretches, as a clock strikes, and not from the last run: that would come a little later each time.
    -- And in UTC, where every day is as long.
    return (date_bin(p_every, p_last at time zone 'UTC', timestamp '2000-01-03 00:00:00') + p_every) at time zone 'UTC';
end;
$$;
comment on function awf._job_due_at(interval, timestamptz) is
'The first moment of the stretch of time after that of the last run; NULL when there was none.';
