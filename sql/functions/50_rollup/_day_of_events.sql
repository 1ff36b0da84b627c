-- The condition that selects, as e, the events of one day (UTC); of all days for NULL.
-- Called by whatever reads events in the rollups.
-- Costs nothing. Literal bounds, so that the planner looks into one partition alone.
create or replace function awf._day_of_events(p_day date)
returns text
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
begin
    return coalesce(
        format('e.ts >= %L and e.ts < %L', p_day::timestamp at time zone 'UTC', (p_day + 1)::timestamp at time zone 'UTC'), 'true'
    );
end;
$$;
comment on function awf._day_of_events(date) is 'SQL condition on turn_events as e: its day.';
