-- The parts of a statement that count events e by the buckets of their metrics.
-- Called by _histograms_part() and _recompute_histograms(), behind _places_part().
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
    v_keys text;
    v_values text;
    v_rows text;
begin
    -- grouping() has a bit for each metric, the last one lowest, which is 0 in the groups of that metric.
    select
        string_agg(format('b.key_%s', m.id), ', ' order by m.id),
        string_agg(format('p.first_key + awf._bucket_of(e.%I) as key_%s', m.column_name, m.id), ', ' order by m.id),
        string_agg(format('(%1$s::smallint, c.key_%1$s, %2$s)', m.id, (1 << m.many) - 1 - (1 << m.many - m.place)), ', ' order by m.id)
    into v_keys, v_values, v_rows
    from (
        select
            h.id, h.column_name, (row_number() over (order by h.id))::integer as place, (count(*) over ())::integer as many
        from awf.metrics as h
        where h.has_histogram
    ) as m;
    -- One pass over the events fills a hash table for each metric; in a group of one of them the other keys are NULL. A key is one
    -- whole number, the place of day, list and locale and the bucket in it: it takes half as long as to group by all of these.
    return format(
        $sql$
        counted_buckets as (
            select count(*) as n, %1$s, grouping(%1$s) as others
            from (
                select %2$s
                from e
                inner join places as p on e.day_at = p.day_at and coalesce(e.assignments, '{}') = p.assignments and e.locale_id = p.locale_id
            ) as b
            group by grouping sets (%1$s)
        ),

        buckets as materialized (
            select
                v.variation_id, (p.day_at at time zone 'UTC')::date as day, p.locale_id, m.metric_id,
                (m.key - p.first_key)::smallint as bucket, awf._sum(c.n) as n
            from counted_buckets as c
            cross join lateral (values %3$s) as m (metric_id, key, others)
            inner join places as p on m.key / 4096 = p.first_key / 4096
            cross join lateral (
                select 0 as variation_id union select i.id from awf.variation_ids as i where i.id = any (p.assignments)
            ) as v
            where c.others = m.others and m.key is not null
            group by v.variation_id, p.day_at, p.locale_id, m.metric_id, m.key - p.first_key
        )
        $sql$,
        v_keys, v_values, v_rows
    );
end;
$$;
comment on function awf._buckets_part() is
'Common table expression buckets: the events e by variation (0: every turn), day, locale, metric and bucket.';
