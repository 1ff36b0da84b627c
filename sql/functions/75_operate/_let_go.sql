-- Detaches a day and drops it.
-- Called by apply_retention() for each day, which holds turn_events alone.
-- Waits half a second at most; a day that cannot go now costs the others nothing.
create or replace function awf._let_go(p_day date)
returns text
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return case when awf._detach_day(p_day) is not null and awf._drop_day(p_day) then 'dropped' else 'kept: locked' end;
exception
    when sqlstate 'WF302' then
        -- A batch came since the day was looked at.
        return 'kept: waiting batches';
end;
$$;
comment on function awf._let_go(date) is 'Drops the events of a day (UTC): "dropped", "kept: locked" or "kept: waiting batches".';
