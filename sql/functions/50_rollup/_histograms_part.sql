-- The parts of a statement that add events e to the histograms of their days, the months and the whole run.
-- Called by _merge_events(), behind _cells_part().
-- Locks the histograms it changes, three for each variation, locale and metric.
create or replace function awf._histograms_part()
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return awf._buckets_part() || $sql$,
        -- A histogram goes by its number until the end, which is quicker than by its five columns.
        parts as materialized (
            select
                d.variation_id, d.day, d.locale_id, d.metric_id, p.period, p.start,
                dense_rank() over (order by d.variation_id, p.period, p.start, d.locale_id, d.metric_id) as histogram
            from (select distinct b.variation_id, b.day, b.locale_id, b.metric_id from buckets as b) as d
            cross join lateral (
                values ('day', d.day), ('month', date_trunc('month', d.day)::date), ('run', '-infinity'::date)
            ) as p (period, start)
        ),

        touched as materialized (
            select distinct p.histogram, p.variation_id, p.period, p.start, p.locale_id, p.metric_id from parts as p
        ),

        counted as (
            select t.histogram, u.bucket, u.n
            from touched as t
            cross join lateral (
                select h.buckets, h.counts
                from awf.histograms as h
                where h.variation_id = t.variation_id and h.period = t.period and h.start = t.start
                    and h.locale_id = t.locale_id and h.metric_id = t.metric_id
                limit 1
            ) as h
            cross join lateral unnest(h.buckets, h.counts) as u (bucket, n)
            union all
            select p.histogram, b.bucket, b.n
            from buckets as b
            inner join parts as p using (variation_id, day, locale_id, metric_id)
        ),

        distributions as (
            insert into awf.histograms (variation_id, period, start, locale_id, metric_id, buckets, counts)
            select t.variation_id, t.period, t.start, t.locale_id, t.metric_id, g.buckets, g.counts
            from (
                select s.histogram, array_agg(s.bucket order by s.bucket) as buckets, array_agg(s.n order by s.bucket) as counts
                from (
                    select c.histogram, c.bucket, awf._sum(c.n) as n from counted as c group by c.histogram, c.bucket
                ) as s
                group by s.histogram
            ) as g
            inner join touched as t using (histogram)
            on conflict (variation_id, period, start, locale_id, metric_id) do update set
                buckets = excluded.buckets, counts = excluded.counts
        )
    $sql$;
end;
$$;
comment on function awf._histograms_part() is 'Common table expressions that merge the events e into histograms.';
