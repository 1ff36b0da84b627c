-- Attaches a day again that was detached and whose table is still there.
-- Called by admins: undoes open_archive(), or what apply_retention() has begun.
-- Waits for a refresh at work; scans the table. Players forgotten since are erased again.
create or replace function awf.attach_day(p_day date)
returns table (erased_players integer, erased_events bigint)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    -- In the order of _detach_day().
    perform awf._try_rollup_lock(true);
    perform awf._lock_day(p_day, 'detached');
    return query select r.players, r.events from awf._attach_day(p_day) as r;
end;
$$;
comment on function awf.attach_day(date) is
'Brings the events of a detached day (UTC) back into turn_events; it then takes events again. Players forgotten since it was detached
are erased again: returns how many, and how many events.
Errors: WF305 (the day is not detached).
Example: SELECT * FROM awf.attach_day(''2025-01-15'');';
