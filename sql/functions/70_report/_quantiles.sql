-- Quantiles of the latency and token metrics, by adding up histograms.
-- Called by experiment_report() and activity_report().
-- Costs a walk over the buckets: of the whole run, or of the range's whole months and the days that are left.
create or replace function awf._quantiles(p_variation_ids integer[], p_groups integer[], p_from date, p_to date, p_by text[])
returns table (group_id integer, first_day date, locale_id integer, quantiles jsonb)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
set jit = 'off'
as $$
declare
    c_unit constant text := (select min(u.unit) from unnest(p_by) as u (unit) where u.unit in ('day', 'week', 'month'));
begin
    return query
    with sums as (
        select
            g.group_id, case when c_unit is not null then date_trunc(c_unit, c.start::timestamp)::date end as first_day,
            case when 'locale' = any (p_by) then c.locale_id end as locale, c.metric_id, u.bucket, sum(u.n)::bigint as n
        from awf._report_periods(p_from, p_to, c_unit) as p
        inner join awf.histograms as c on c.period = p.period and c.start >= p.begins and c.start < p.ends
        inner join unnest(p_variation_ids, p_groups) as g (variation_id, group_id) on c.variation_id = g.variation_id
        cross join lateral unnest(c.buckets, c.counts) as u (bucket, n)
        group by 1, 2, 3, 4, 5
    ),

    ranks as (
        select
            s.group_id, s.first_day, s.locale, s.metric_id, s.bucket,
            sum(s.n) over (w order by s.bucket) as upto, sum(s.n) over w - 1 as last
        from sums as s
        window w as (partition by s.group_id, s.first_day, s.locale, s.metric_id)
    ),

    found as (
        select
            r.group_id, r.first_day, r.locale, r.metric_id,
            min(r.bucket) filter (where r.upto > 0.50 * r.last) as p50, min(r.bucket) filter (where r.upto > 0.90 * r.last) as p90,
            min(r.bucket) filter (where r.upto > 0.95 * r.last) as p95, min(r.bucket) filter (where r.upto > 0.99 * r.last) as p99
        from ranks as r
        group by r.group_id, r.first_day, r.locale, r.metric_id
    )

    select f.group_id, f.first_day, f.locale, jsonb_object_agg(m.name, jsonb_build_object(
        'p50', awf._quantile_of(f.p50, m.scale), 'p90', awf._quantile_of(f.p90, m.scale),
        'p95', awf._quantile_of(f.p95, m.scale), 'p99', awf._quantile_of(f.p99, m.scale)
    ))
    from found as f
    inner join awf.metrics as m on f.metric_id = m.id
    group by f.group_id, f.first_day, f.locale;
end;
$$;
comment on function awf._quantiles(integer[], integer[], date, date, text[]) is
'Quantiles of the metrics that have histograms, from p_from to p_to (UTC, both included), grouped as by _sum_totals() by groups, day, week
or month, and locale: {"turnLatencyMs": {"p50", "p90", "p95", "p99"}}, in public units. Of n values, quantile q is within 1 % of the one
with rank q (n - 1), counted from 0 and rounded down (Masson, Rim, Lee 2019, DDSketch).';
