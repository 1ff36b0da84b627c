-- The parts of a statement that add events e to the histograms of their day, its month and the whole run.
-- Called by _merge_events().
-- Locks the histograms it changes, three for each variation, locale and metric.
create or replace function awf._histograms_part(p_day date)
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return awf._buckets_part() || format(
        $sql$,
        periods (period, start) as (
            values ('day', %L::date), ('month', %L::date), ('run', '-infinity'::date)
        ),

        touched as (
            select distinct b.variation_id, p.period, p.start, b.locale_id, b.metric_id
            from buckets as b
            cross join periods as p
        ),

        counted as (
            select t.variation_id, t.period, t.start, t.locale_id, t.metric_id, u.bucket, u.n
            from touched as t
            inner join awf.histograms as h using (variation_id, period, start, locale_id, metric_id)
            cross join lateral unnest(h.buckets, h.counts) as u (bucket, n)
            union all
            select b.variation_id, p.period, p.start, b.locale_id, b.metric_id, b.bucket, b.n
            from buckets as b
            cross join periods as p
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
        $sql$, p_day, date_trunc('month', p_day)::date
    );
end;
$$;
comment on function awf._histograms_part(date) is 'Common table expressions that merge the events e of a day into histograms.';
