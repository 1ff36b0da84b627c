-- Adds the claimed events of one day, in one range of batches, to the histograms of the day, its month and the whole run.
-- Called by refresh_rollups() for each range.
-- Costs one scan of the events; locks the histograms it changes, three for each variation, locale and metric.
create or replace function awf._add_histograms(p_day date, p_condition text)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    with added as materialized (
        select b.* from awf._buckets_of(p_day, p_condition) as b
    ),

    periods (period, start) as (
        values ('day', p_day), ('month', date_trunc('month', p_day)::date), ('run', '-infinity'::date)
    ),

    touched as (
        select distinct a.variation_id, p.period, p.start, a.locale_id, a.metric_id
        from added as a
        cross join periods as p
    ),

    kept as (
        select t.variation_id, t.period, t.start, t.locale_id, t.metric_id, u.bucket, u.n
        from touched as t
        inner join awf.histograms as h using (variation_id, period, start, locale_id, metric_id)
        cross join lateral unnest(h.buckets, h.counts) as u (bucket, n)
        union all
        select a.variation_id, p.period, p.start, a.locale_id, a.metric_id, a.bucket, a.n
        from added as a
        cross join periods as p
    ),

    summed as (
        select k.variation_id, k.period, k.start, k.locale_id, k.metric_id, k.bucket, sum(k.n)::bigint as n
        from kept as k
        group by k.variation_id, k.period, k.start, k.locale_id, k.metric_id, k.bucket
    )

    insert into awf.histograms (variation_id, period, start, locale_id, metric_id, buckets, counts)
    select
        s.variation_id, s.period, s.start, s.locale_id, s.metric_id,
        array_agg(s.bucket order by s.bucket), array_agg(s.n order by s.bucket)
    from summed as s
    group by s.variation_id, s.period, s.start, s.locale_id, s.metric_id
    on conflict (variation_id, period, start, locale_id, metric_id) do update set
        buckets = excluded.buckets, counts = excluded.counts;
end;
$$;
comment on function awf._add_histograms(date, text) is 'Adds the selected events of a day to the histograms of the day, its month and the run.';
