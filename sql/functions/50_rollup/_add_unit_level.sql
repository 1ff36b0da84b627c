-- Adds the events of one day that a condition selects to all that is kept of units: exposures, totals, moments.
-- Called by refresh_rollups() for each range of batches, and by _recompute_day() for a day anew.
-- Costs what its parts cost.
create or replace function awf._add_unit_level(p_day date, p_condition text, p_anew boolean)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_of record;
begin
    select o.players, o.variations into v_of from awf._players_of(p_day, p_condition) as o;
    if v_of.players <> '{}' then
        perform awf._move_history(v_of.players, v_of.variations, p_day, -1);
    end if;
    perform awf._add_exposures(p_day, p_condition);
    perform awf._add_units(p_day, p_condition, p_anew);
    if v_of.players <> '{}' then
        perform awf._move_history(v_of.players, v_of.variations, p_day, 1);
    end if;
end;
$$;
comment on function awf._add_unit_level(date, text, boolean) is
'Adds the selected events of a day to exposures, crossovers, unit_totals, player_days and the moments; with p_anew the totals of the day are
replaced.';
