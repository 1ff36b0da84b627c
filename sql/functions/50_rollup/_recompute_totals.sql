-- Makes the additive rollups of one day anew from its events: totals by each grain, and histograms.
-- Called by _recompute_day() and _erase_players(), under the rollup lock.
-- Costs two scans of the day.
create or replace function awf._recompute_totals(p_day date)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_month constant date := date_trunc('month', p_day)::date;
begin
    delete from awf.daily_totals as d where d.day = p_day;
    delete from awf.dimension_totals as d where d.day = p_day;
    delete from awf.hourly_totals as h
    where h.hour >= p_day::timestamp at time zone 'UTC' and h.hour < (p_day + 1)::timestamp at time zone 'UTC';
    delete from awf.locale_totals as d where d.period = 'day' and d.start = p_day;
    perform awf._merge_events(p_day, p_day, awf._rolled_up(), '{totals}');
    -- The merge has added the day to its month and to the run a second time.
    perform awf._sum_locale_totals('month', v_month, 'day', v_month, (v_month + interval '1 month')::date);
    perform awf._sum_locale_totals('run', '-infinity', 'month', '-infinity', 'infinity');
    perform awf._recompute_histograms(p_day);
end;
$$;
comment on function awf._recompute_totals(date) is
'Recomputes daily_totals, dimension_totals, hourly_totals, locale_totals and histograms of a day whose events are stored.';
