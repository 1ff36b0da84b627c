-- The statement that adds events to the rollups.
-- Called by _merge_events().
-- Costs nothing.
create or replace function awf._merge_statement(
    p_first_day date, p_last_day date, p_condition text, p_parts text[], p_anew boolean, p_careful boolean
)
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    c_newcomers_known constant boolean := 'exposures' = any (p_parts) and not p_anew and not p_careful;
begin
    -- In one statement all the parts see the same.
    return concat_ws(
        ', ',
        'with ' || awf._events_part(p_first_day, p_last_day, p_condition),
        awf._cells_part('totals' = any (p_parts), p_careful),
        case when 'totals' = any (p_parts) then awf._totals_part() end,
        case when 'histograms' = any (p_parts) then awf._histograms_part() end,
        case when 'exposures' = any (p_parts) then awf._exposures_part() end,
        case when 'units' = any (p_parts) then awf._units_part(p_first_day, p_anew, c_newcomers_known) end,
        case when 'players' = any (p_parts) then awf._players_part(p_first_day, p_anew) end
    ) || ' select coalesce(sum(c.turns), 0) from cells as c';
end;
$$;
comment on function awf._merge_statement(date, date, text, text[], boolean, boolean) is
'The SQL of _merge_events(); with p_careful squares are numerics, and units without an exposure may have totals.';
