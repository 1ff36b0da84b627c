-- Refuses a range of days in which no partition may be made, or too many for one transaction.
-- Called by ensure_partitions().
-- Costs three settings.
create or replace function awf._check_ahead(p_from date, p_to date)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_oldest date;
    v_newest date;
begin
    -- Each new partition takes some fifteen locks, all held together, of 6,400 that a server has by default.
    if p_to - p_from >= 100 then
        raise exception using
            errcode = 'WF002',
            message = format('%s to %s are more than 100 days', p_from, p_to),
            hint = 'Ask for three months at a time.';
    end if;
    select (w.oldest at time zone 'UTC')::date, (w.newest at time zone 'UTC')::date
    into v_oldest, v_newest
    from awf._event_window() as w;
    v_newest := greatest(v_newest, (awf._now() at time zone 'UTC')::date + awf._setting_number('partitions_ahead_days')::integer);
    if p_from < v_oldest or p_to > v_newest then
        raise exception using
            errcode = 'WF203',
            message = format('%s to %s does not lie within %s to %s', p_from, p_to, v_oldest, v_newest),
            detail = 'A partition is made for days from which events are accepted, and for the days ahead.',
            hint = 'The settings are ingest_max_age_days, ingest_max_future_minutes and partitions_ahead_days: awf.set_setting().';
    end if;
end;
$$;
comment on function awf._check_ahead(date, date) is
'Raises WF002 for a range of more than 100 days, WF203 for one beyond the accepted window and the days ahead.';
