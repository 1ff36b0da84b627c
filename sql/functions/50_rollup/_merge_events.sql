-- Adds the events of one day that a condition selects to the rollups, to all of them or to parts.
-- Called by _merge_with_history(), _recompute_totals() and _erase_exposures().
-- Costs one scan of the events and what the parts cost; locks the rows that change.
create or replace function awf._merge_events(p_day date, p_condition text, p_parts text[], p_anew boolean default false)
returns bigint
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set jit = 'off'
set work_mem = '64MB'
as $$
declare
    v_events bigint;
begin
    -- The condition is made by the callers from numbers and quoted literals.
    -- @plpgsql_check_options: security_warnings = off
    -- One statement reads the events once, and all its parts see the same.
    execute concat_ws(
        ', ',
        'with ' || awf._events_part(p_day, p_condition),
        case when 'totals' = any (p_parts) then awf._totals_part(p_day) end,
        case when 'histograms' = any (p_parts) then awf._histograms_part(p_day) end,
        case when p_parts && array['exposures', 'units'] then awf._cells_part() end,
        case when 'exposures' = any (p_parts) then awf._exposures_part() end,
        case when 'units' = any (p_parts) then awf._units_part(p_day, p_anew) end
    ) || ' select count(*) from e'
    into v_events;
    return v_events;
end;
$$;
comment on function awf._merge_events(date, text, text[], boolean) is
'Adds the selected events of a day (of all days for NULL, for exposures alone) to the rollups that p_parts names: totals, histograms,
exposures, units. With p_anew the units'' totals of the day are replaced. Returns how many events there were.';
