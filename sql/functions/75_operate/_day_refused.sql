-- Refuses what the state of a day does not allow.
-- Called by whatever archives and restores.
-- Costs nothing: raises.
create or replace function awf._day_refused(p_day date, p_state text, p_wanted text)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception using
        errcode = 'WF305',
        message = format('%s %s', coalesce(p_day::text, 'no day'), coalesce(
            case p_state
                when 'detached' then 'is detached: its events are in a table of their own'
                when 'dropped' then 'is dropped: its events are no longer in the database'
                when 'restored' then 'is restored: its events are in turn_events'
            end, 'has not left turn_events, or has no events'
        )),
        detail = format('Wanted is a day that is %s.', p_wanted),
        hint = 'SELECT * FROM awf.event_days; shows the days that left, SELECT * FROM awf.archive_days(date) those that may.';
end;
$$;
comment on function awf._day_refused(date, text, text) is 'Raises WF305: the state of the day is not the one that is wanted.';
