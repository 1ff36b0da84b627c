-- Adds the events of some days that a condition selects to the rollups, to all of them or to parts.
-- Called by _merge_with_history(), _recompute_totals() and _erase_exposures().
-- Costs up to three scans of the events and what the parts cost; locks the rows that change.
create or replace function awf._merge_events(
    p_first_day date,
    p_last_day date,
    p_condition text,
    p_parts text[],
    p_anew boolean default false
)
returns bigint
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set jit = 'off'
set work_mem = '64MB'
-- Statistics know nothing of the newest events, and a plan for one of them is ruinous for a hundred thousand, as one for a
-- small day is for a large one. So the plan is always the same: events are found by the index of their batches, everything is
-- hashed, and what is to be looked up by an index is a lateral query.
set enable_seqscan = 'off'
set enable_nestloop = 'off'
set enable_mergejoin = 'off'
set enable_sort = 'off'
as $$
declare
    v_events bigint;
begin
    -- The condition is made by the callers from numbers and quoted literals.
    -- @plpgsql_check_options: security_warnings = off
    begin
        execute awf._merge_statement(p_first_day, p_last_day, p_condition, p_parts, p_anew, false) into v_events;
    exception when numeric_value_out_of_range or unique_violation then
        -- Squares that do not fit into bigints, or units that have totals though somebody took their exposures away.
        execute awf._merge_statement(p_first_day, p_last_day, p_condition, p_parts, p_anew, true) into v_events;
    end;
    return v_events;
end;
$$;
comment on function awf._merge_events(date, date, text, text[], boolean) is
'Adds the selected events from p_first_day to p_last_day (of all days for NULL, for exposures alone) to the rollups that p_parts names:
totals, histograms, exposures, units, players. With p_anew the units'' and players'' totals of the day, one day, are replaced. Returns how
many events there were.';
