-- The parts of a statement that add events e to the histograms of their days, the months and the whole run.
-- Called by _merge_events().
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
        spread as materialized (
            select b.variation_id, p.period, p.start, b.locale_id, b.metric_id, b.bucket, b.n
            from buckets as b
            cross join lateral (
                values ('day', b.day), ('month', date_trunc('month', b.day)::date), ('run', '-infinity'::date)
            ) as p (period, start)
        ),

        touched as (
            select distinct s.variation_id, s.period, s.start, s.locale_id, s.metric_id from spread as s
        ),

        counted as (
            select t.variation_id, t.period, t.start, t.locale_id, t.metric_id, u.bucket, u.n
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
            select s.* from spread as s
        ),

        distributions as (
            insert into awf.histograms (variation_id, period, start, locale_id, metric_id, buckets, counts)
            select
                s.variation_id, s.period, s.start, s.locale_id, s.metric_id,
                array_agg(s.bucket order by s.bucket), array_agg(s.n order by s.bucket)
            from (
                select c.variation_id, c.period, c.start, c.locale_id, c.metric_id, c.bucket, sum(c.n)::bigint as n
                from counted as c
                group by c.variation_id, c.period, c.start, c.locale_id, c.metric_id, c.bucket
            ) as s
            group by s.variation_id, s.period, s.start, s.locale_id, s.metric_id
            on conflict (variation_id, period, start, locale_id, metric_id) do update set
                buckets = excluded.buckets, counts = excluded.counts
        )
    $sql$;
end;
$$;
comment on function awf._histograms_part() is 'Common table expressions that merge the events e into histograms.';
