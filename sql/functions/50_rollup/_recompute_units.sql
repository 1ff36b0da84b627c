-- Puts what the events of one day say in the place of what is kept of units and players for that day.
-- Called by _recompute_day(), under the rollup lock.
-- Costs one scan of the day and its rows of unit_totals and player_days.
create or replace function awf._recompute_units(p_day date)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._merge_with_history(p_day, p_day, awf._rolled_up(), '{exposures,units,players}', true);
    delete from awf.unit_totals as t where t.day = p_day and t.turns = 0;
    delete from awf.player_days as d where d.day = p_day and d.turns = 0;
    perform awf._drop_empty_moments();
end;
$$;
comment on function awf._recompute_units(date) is
'Recomputes unit_totals and player_days of a day, merges its exposures and crossovers, and moves the moments along.';
