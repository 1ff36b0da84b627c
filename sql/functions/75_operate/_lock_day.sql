-- Takes a day for what archives or restores it, and checks that it is in the state for that.
-- Called by whatever archives and restores.
-- Locks the day's row until the transaction ends.
create or replace function awf._lock_day(p_day date, p_wanted text)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_state text;
begin
    select d.state into v_state from awf.event_days as d where d.day = p_day for update;
    if v_state is distinct from p_wanted then
        perform awf._day_refused(p_day, v_state, p_wanted);
    end if;
end;
$$;
comment on function awf._lock_day(date, text) is 'Locks the row of a day in event_days; raises WF305 unless the day is in the wanted state.';
