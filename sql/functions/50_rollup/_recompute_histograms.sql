-- Makes the histograms of one day anew from its events, its month from its days, and the whole run from its months.
-- Called by _recompute_totals().
-- Costs one scan of the day. Longer periods are added up anew, so that a mistake in one never stays in the others.
create or replace function awf._recompute_histograms(p_day date)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set jit = 'off'
as $$
declare
    v_month constant date := date_trunc('month', p_day)::date;
begin
    -- @plpgsql_check_options: security_warnings = off
    delete from awf.histograms as h where h.period = 'day' and h.start = p_day;
    execute
        'with ' || awf._events_part(p_day, p_day, awf._rolled_up()) || ', ' || awf._places_part('e') || ', ' || awf._buckets_part()
        || ' insert into awf.histograms (variation_id, period, start, locale_id, metric_id, buckets, counts) '
        'select b.variation_id, ''day'', b.day, b.locale_id, b.metric_id, array_agg(b.bucket order by b.bucket), array_agg(b.n order by b.bucket) '
        'from buckets as b group by b.variation_id, b.day, b.locale_id, b.metric_id';
    perform awf._sum_histograms('month', v_month, 'day', v_month, (v_month + interval '1 month')::date);
    perform awf._sum_histograms('run', '-infinity', 'month', '-infinity', 'infinity');
end;
$$;
comment on function awf._recompute_histograms(date) is 'Recomputes the histograms of a day, its month and the run.';
