-- Adds up the totals that a report asks for, from the smallest table that has them.
-- Called by experiment_report(), activity_report() and _rollup_rows().
-- Costs a scan of the totals of the range: of months and days, of hours in another zone.
create or replace function awf._sum_totals(
    p_variation_ids integer[], p_groups integer[], p_from date, p_to date, p_by text[], p_zone text default 'UTC'
)
returns table (
    group_id integer, first_day date, locale_id integer, world_id integer, adventure_id integer, model_id integer,
    metrics smallint[], n bigint[], sums numeric[]
)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
set jit = 'off'
as $$
declare
    c_unit constant text := (select min(u.unit) from unnest(p_by) as u (unit) where u.unit in ('day', 'week', 'month'));
    c_kind constant text := (select min(u.kind) from unnest(p_by) as u (kind) where u.kind in ('adventure', 'model'));
    c_table constant text := case
        when c_kind is not null then 'dimension'
        when 'world' = any (p_by) then 'daily'
        when p_zone <> 'UTC' and (p_from is not null or p_to is not null or c_unit is not null) then 'hourly'
        else 'locale'
    end;
    c_from constant date := coalesce(p_from, '-infinity');
    c_to constant date := coalesce(p_to, 'infinity');
    c_begin constant timestamptz := awf._day_begins(c_from, p_zone);
    c_end constant timestamptz := awf._day_begins(c_to + 1, p_zone);
begin
    return query
    with totals as (
        select d.variation_id, d.start as day, d.locale_id as locale, null::integer as world, null::integer as dimension, d.n, d.sum
        from awf._report_periods(p_from, p_to, c_unit) as p
        inner join awf.locale_totals as d on d.period = p.period and d.start >= p.begins and d.start < p.ends
        where c_table = 'locale' and d.variation_id = any (p_variation_ids)
        union all
        select d.variation_id, d.day, d.locale_id, d.world_id, null, d.n, d.sum
        from awf.daily_totals as d
        where c_table = 'daily' and d.variation_id = any (p_variation_ids) and d.day between c_from and c_to
        union all
        select d.variation_id, (d.hour at time zone p_zone)::date, d.locale_id, null, null, d.n, d.sum
        from awf.hourly_totals as d
        where c_table = 'hourly' and d.variation_id = any (p_variation_ids) and d.hour >= c_begin and d.hour < c_end
        union all
        select d.variation_id, d.day, null, null, d.dimension_id, d.n, d.sum
        from awf.dimension_totals as d
        where c_table = 'dimension' and d.kind = c_kind and d.variation_id = any (p_variation_ids) and d.day between c_from and c_to
    ),

    cells as (
        select
            g.group_id, case when c_unit is not null then date_trunc(c_unit, t.day::timestamp)::date end as first_day,
            case when 'locale' = any (p_by) then t.locale end as locale,
            case when 'world' = any (p_by) then t.world end as world,
            t.dimension, m.place, sum(m.n)::bigint as n, sum(m.sum) as sum
        from totals as t
        cross join lateral unnest(t.n, t.sum) with ordinality as m (n, sum, place)
        inner join unnest(p_variation_ids, p_groups) as g (variation_id, group_id) on t.variation_id = g.variation_id
        where m.n > 0
        group by 1, 2, 3, 4, 5, 6
    )

    select
        c.group_id, c.first_day, c.locale, c.world,
        case c_kind when 'adventure' then c.dimension end, case c_kind when 'model' then c.dimension end,
        array_agg((c.place - 1)::smallint order by c.place), array_agg(c.n order by c.place), array_agg(c.sum order by c.place)
    from cells as c
    group by c.group_id, c.first_day, c.locale, c.world, c.dimension;
end;
$$;
comment on function awf._sum_totals(integer[], integer[], date, date, text[], text) is
'Turns and sums of the variations from p_from to p_to (days of p_zone, both included; NULL: without a bound): a row for each group
(p_groups has one number for each variation) and each of what p_by names: day, week or month, locale and world, or adventure, or model;
what it does not name is NULL. metrics are the ids of those that occur; n and sums have an element for each.';
