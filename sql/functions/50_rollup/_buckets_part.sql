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
begin
    return format(
        $sql$
        buckets as materialized (
            select v.variation_id, c.locale_id, c.metric_id, c.bucket, sum(c.n)::bigint as n
            from (%s) as c
            cross join lateral (
                select 0 as variation_id union select i.id from awf.variation_ids as i where i.id = any (c.assignments)
            ) as v
            group by v.variation_id, c.locale_id, c.metric_id, c.bucket
        )
        $sql$,
        (
            select string_agg(
                format(
                    'select e.assignments, e.locale_id, %1$s::smallint as metric_id, awf._bucket_of(e.%2$I) as bucket, count(*) as n '
                    'from e where e.%2$I is not null group by e.assignments, e.locale_id, awf._bucket_of(e.%2$I)',
                    m.id, m.column_name
                ),
                ' union all '
            )
            from awf.metrics as m
            where m.has_histogram
        )
    );
end;
$$;
comment on function awf._buckets_part() is
'Common table expression buckets: the events e by variation (0: every turn), locale, metric and bucket.';
