-- Refuses a day outside the accepted window, before a typing error makes a partition in the year 9999.
-- Called by _ensure_partition().
-- Costs two settings.
create or replace function awf._check_window(p_day date)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_window record;
begin
    select w.oldest, w.newest into v_window from awf._event_window() as w;
    if p_day is null or not isfinite(p_day)
        or p_day not between (v_window.oldest at time zone 'UTC')::date and (v_window.newest at time zone 'UTC')::date then
        raise exception using
            errcode = 'WF203',
            message = format('day %s lies outside the accepted window', coalesce(p_day::text, 'NULL')),
            detail = format('Accepted: %s to %s.', v_window.oldest, v_window.newest),
            hint = 'The window is set by ingest_max_age_days and ingest_max_future_minutes: awf.set_setting().';
    end if;
end;
$$;
comment on function awf._check_window(date) is 'Raises WF203 when the day lies outside the accepted window.';
