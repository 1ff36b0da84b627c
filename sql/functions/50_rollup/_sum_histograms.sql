-- Makes the histograms of a long period anew from those of shorter ones.
-- Called by _recompute_histograms().
-- Costs a scan of the shorter ones.
create or replace function awf._sum_histograms(p_period text, p_start date, p_part text, p_from date, p_before date)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set jit = 'off'
as $$
begin
    delete from awf.histograms as h where h.period = p_period and h.start = p_start;
    insert into awf.histograms (variation_id, period, start, locale_id, metric_id, buckets, counts)
    select s.variation_id, p_period, p_start, s.locale_id, s.metric_id, array_agg(s.bucket order by s.bucket), array_agg(s.n order by s.bucket)
    from (
        select h.variation_id, h.locale_id, h.metric_id, u.bucket, sum(u.n)::bigint as n
        from awf.histograms as h
        cross join lateral unnest(h.buckets, h.counts) as u (bucket, n)
        where h.period = p_part and h.start >= p_from and h.start < p_before
        group by h.variation_id, h.locale_id, h.metric_id, u.bucket
    ) as s
    group by s.variation_id, s.locale_id, s.metric_id;
end;
$$;
comment on function awf._sum_histograms(text, date, text, date, date) is
'The histograms of p_period beginning on p_start become the sums of those of p_part that begin from p_from on and before p_before.';
