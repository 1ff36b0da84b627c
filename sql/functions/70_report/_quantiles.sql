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
    c_unit constant text := (select u.unit from unnest(p_by) as u (unit) where u.unit in ('day', 'week', 'month'));
    c_run constant boolean := p_from is null and p_to is null and c_unit is null;
    c_from constant date := coalesce(p_from, '-infinity');
    c_to constant date := coalesce(p_to, 'infinity');
    -- Whole months are from c_first on and before c_last, unless there is none.
    c_first constant date := date_trunc('month', c_from + interval '1 month' - interval '1 day');
    c_last constant date := greatest(c_first, date_trunc('month', c_to + interval '1 day')::date);
    c_days constant boolean := c_unit in ('day', 'week') or c_first = c_last;
begin
    return query
    with chosen as (
        select h.variation_id, h.start, h.locale_id, h.metric_id, h.buckets, h.counts
        from awf.histograms as h
        where h.variation_id = any (p_variation_ids) and case h.period
            when 'run' then c_run
            when 'month' then not c_run and not coalesce(c_days, false) and h.start >= c_first and h.start < c_last
            else not c_run and h.start between c_from and c_to and (coalesce(c_days, false) or h.start < c_first or h.start >= c_last)
        end
    ),

    sums as (
        select
            g.group_id, case when c_unit is not null then date_trunc(c_unit, c.start::timestamp)::date end as first_day,
            case when 'locale' = any (p_by) then c.locale_id end as locale, c.metric_id, u.bucket, sum(u.n)::bigint as n
        from chosen as c
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
