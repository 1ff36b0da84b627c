-- The part of a statement that counts events e by the buckets of their metrics.
-- Called by _histograms_part() and _recompute_histograms().
-- Costs a hash aggregate over the events for each metric with a histogram.
create or replace function awf._buckets_part()
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_buckets text;
    v_values text;
    v_sets text;
    v_rows text;
begin
    -- grouping() has a bit for each metric, the last one lowest, which is 0 in the groups of that metric.
    select
        string_agg(format('b.bucket_%s', m.id), ', ' order by m.id),
        string_agg(format('awf._bucket_of(e.%I) as bucket_%s', m.column_name, m.id), ', ' order by m.id),
        string_agg(format('(b.day_at, b.assignments, b.locale_id, b.bucket_%s)', m.id), ', ' order by m.id),
        string_agg(format('(%1$s::smallint, c.bucket_%1$s, %2$s)', m.id, (1 << m.many) - 1 - (1 << m.many - m.place)), ', ' order by m.id)
    into v_buckets, v_values, v_sets, v_rows
    from (
        select
            h.id, h.column_name, (row_number() over (order by h.id))::integer as place, (count(*) over ())::integer as many
        from awf.metrics as h
        where h.has_histogram
    ) as m;
    -- One pass over the events fills a hash table for each metric; in a group of one of them the other buckets are NULL.
    return format(
        $sql$
        counted_buckets as (
            select
                (b.day_at at time zone 'UTC')::date as day, b.assignments, b.locale_id, count(*) as n, %1$s,
                grouping(%2$s) as others
            from (select e.day_at, e.assignments, e.locale_id, %3$s from e) as b
            group by grouping sets (%4$s)
        ),

        buckets as materialized (
            select v.variation_id, c.day, c.locale_id, m.metric_id, m.bucket, sum(c.n)::bigint as n
            from counted_buckets as c
            cross join lateral (values %5$s) as m (metric_id, bucket, others)
            cross join lateral (
                select 0 as variation_id union select i.id from awf.variation_ids as i where i.id = any (c.assignments)
            ) as v
            where c.others = m.others and m.bucket is not null
            group by v.variation_id, c.day, c.locale_id, m.metric_id, m.bucket
        )
        $sql$,
        v_buckets, v_buckets, v_values, v_sets, v_rows
    );
end;
$$;
comment on function awf._buckets_part() is
'Common table expression buckets: the events e by variation (0: every turn), day, locale, metric and bucket.';
