-- Refuses a day that is not over, or has batches that no refresh has added to the rollups.
-- Called by _detach_day(), before and after it has the lock.
-- Costs one index lookup.
create or replace function awf._require_day_closed(p_day date)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_today constant date := (awf._now() at time zone 'UTC')::date;
    v_waiting bigint;
begin
    if p_day is null or not isfinite(p_day) or p_day >= v_today then
        raise exception using
            errcode = 'WF302',
            message = format('the day %s is not over', coalesce(p_day::text, 'NULL')),
            detail = format('Today is %s (UTC).', v_today),
            hint = 'Choose a day before today.';
    end if;
    select count(*) into v_waiting from awf.ingest_log as l where l.day = p_day and l.rolled_up_at is null;
    if v_waiting > 0 then
        raise exception using
            errcode = 'WF302',
            message = format('the day %s is not closed: batches that wait for a refresh: %s', p_day, v_waiting),
            detail = 'Without their events the rollups could never be complete.',
            hint = 'SELECT * FROM awf.refresh_rollups(); then try again.';
    end if;
end;
$$;
comment on function awf._require_day_closed(date) is 'Raises WF302 for a day (UTC) that is not over or has waiting batches.';
