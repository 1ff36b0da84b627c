-- Takes a day out of turn_events, so that nothing comes to it any more, and lets the caller read its table.
-- Called by admins, before the day is written to a file; again after a run that was broken off.
-- Locks turn_events for a moment (see _detach_day).
create or replace function awf.open_archive(p_day date)
returns text
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_table regclass;
begin
    perform awf._require_safe_owner();
    v_table := awf._detach_day(p_day);
    if v_table is null and awf._table_of_day(p_day) is null then
        perform awf._day_refused(p_day, null, 'stored');
    elsif v_table is null then
        return null;
    end if;
    execute format('grant select on %s to %I', v_table, awf._caller());
    -- As text it is schema-qualified and quoted: nothing of awf is on this function's search_path.
    return v_table::text;
end;
$$;
comment on function awf.open_archive(date) is
'Detaches a day (UTC) that is over and rolled up, unless that is done, and returns the name of its table, which the caller may then read;
NULL when somebody was in the way for half a second: try again. Late events of the day are kept aside in rejected_events from now on.
close_archive() follows, or attach_day() to undo it.
Errors: WF301 (the day was dropped), WF302 (it is not over, or batches wait for a refresh), WF305 (it has no events in the database).
Example: SELECT awf.open_archive(''2025-01-15'');';
