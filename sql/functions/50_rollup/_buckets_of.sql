-- Counts the events of one day that a condition selects by the buckets of their metrics.
-- Called by _add_histograms() and _recompute_histograms().
-- Costs one scan of the selected events, and a hash aggregate for each metric with a histogram.
create or replace function awf._buckets_of(p_day date, p_condition text)
returns table (variation_id integer, locale_id integer, metric_id smallint, bucket smallint, n bigint)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_columns text;
    v_counted text;
begin
    -- The condition is made by the callers from numbers and quoted literals.
    -- @plpgsql_check_options: security_warnings = off, extra_warnings = off
    select
        string_agg(format('case when e.%1$I is not null then awf._bucket_of(e.%1$I) end as b%2$s', m.column_name, m.id), ', '),
        string_agg(
            format(
                'select e.assignments, e.locale_id, %1$s::smallint as metric_id, e.b%1$s as bucket, count(*) as n from e '
                'where e.b%1$s is not null group by e.assignments, e.locale_id, e.b%1$s',
                m.id
            ),
            ' union all '
        )
    into v_columns, v_counted
    from awf.metrics as m
    where m.has_histogram;
    return query execute format(
        $sql$
        with e as materialized (select e.assignments, e.locale_id, %s from awf.turn_events as e where %s and (%s))

        select v.variation_id, c.locale_id, c.metric_id, c.bucket, sum(c.n)::bigint
        from (%s) as c
        cross join lateral (
            select 0 as variation_id
            union
            select i.id from awf.variation_ids as i where i.id = any (c.assignments)
        ) as v
        group by v.variation_id, c.locale_id, c.metric_id, c.bucket
        $sql$,
        v_columns, awf._day_of_events(p_day), p_condition, v_counted
    );
end;
$$;
comment on function awf._buckets_of(date, text) is
'Turns of a day (UTC) that the SQL condition on alias e selects, by variation (0: every turn), locale, metric and bucket.';
