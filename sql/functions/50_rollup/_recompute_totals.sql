-- Makes the daily totals of one day anew from its events.
-- Called by _recompute_day() and _erase_players(), under the rollup lock.
-- Costs one scan of the day.
create or replace function awf._recompute_totals(p_day date)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from awf.daily_totals as d where d.day = p_day;
    perform awf._add_totals(p_day, awf._rolled_up());
end;
$$;
comment on function awf._recompute_totals(date) is 'Recomputes daily_totals of a day whose events are stored.';
