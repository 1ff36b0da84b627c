-- The parts of a statement that add up the cells by each grain of the additive totals, and merge them.
-- Called by _merge_events(), behind _cells_part().
-- Costs a hash aggregate over the cells for each grain. Locks the rows that change.
create or replace function awf._totals_part()
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    c_columns constant text := 'n, sum, sum_squares, min, max';
    c_sums constant text := 'awf._sum(t.n0) as n0, awf._sum(t.s0) as s0, ' || awf._each_metric(
        'awf._sum(t.n%2$s) as n%2$s, awf._sum(t.s%2$s) as s%2$s, sum(t.q%2$s) as q%2$s, min(t.a%2$s) as a%2$s, max(t.z%2$s) as z%2$s'
    );
    -- A list for each column, with an element for each metric; 0 (failed) is a one for each failed turn.
    c_lists constant text := concat_ws(
        ', ',
        format('array[t.n0, %s]', awf._each_metric('t.n%2$s')),
        format('array[t.s0, %s]', awf._each_metric('t.s%2$s')),
        format('array[t.s0, %s]', awf._each_metric('coalesce(t.q%2$s, 0)')),
        format('array[(t.s0 = t.n0)::integer, %s]::bigint[]', awf._each_metric('t.a%2$s')),
        format('array[(t.s0 > 0)::integer, %s]::bigint[]', awf._each_metric('t.z%2$s'))
    );
    c_merge constant text := awf._merged_lists();
begin
    -- The cells by each grain, and only what is left is spread over its variations (0: every turn once; a number that no variation
    -- has counts for none). What a grain does not ask for is NULL.
    return format(
        $sql$
        grains as (
            select
                c.day, c.assignments, c.world_id, c.locale_id, c.adventure_id, c.model_id, c.hour,
                awf._sum(c.turns) as n0, awf._sum(c.failed_turns) as s0, %1$s
            from cells as c
            group by grouping sets (
                (c.day, c.assignments, c.world_id, c.locale_id), (c.day, c.assignments, c.adventure_id), (c.day, c.assignments, c.model_id),
                (c.assignments, c.locale_id, c.hour)
            )
        ),

        totals as materialized (
            select v.variation_id, t.day, t.world_id, t.locale_id, t.adventure_id, t.model_id, t.hour, %2$s
            from grains as t
            cross join lateral (
                select 0 as variation_id union select i.id from awf.variation_ids as i where i.id = any (t.assignments)
            ) as v
            group by v.variation_id, t.day, t.world_id, t.locale_id, t.adventure_id, t.model_id, t.hour
        ),

        daily as (
            insert into awf.daily_totals as d (variation_id, day, world_id, locale_id, %4$s)
            select t.variation_id, t.day, t.world_id, t.locale_id, %3$s
            from totals as t
            where t.world_id is not null
            on conflict (variation_id, day, world_id, locale_id) do update set %5$s
        ),

        by_dimension as (
            insert into awf.dimension_totals as d (variation_id, day, kind, dimension_id, %4$s)
            select
                t.variation_id, t.day, case when t.adventure_id is null then 'model' else 'adventure' end,
                coalesce(t.adventure_id, t.model_id), %3$s
            from totals as t
            where t.adventure_id is not null or t.model_id is not null
            on conflict (variation_id, day, kind, dimension_id) do update set %5$s
        ),

        hourly as (
            insert into awf.hourly_totals as d (variation_id, hour, locale_id, %4$s)
            select t.variation_id, t.hour, t.locale_id, %3$s
            from totals as t
            where t.hour is not null
            on conflict (variation_id, hour, locale_id) do update set %5$s
        ),

        by_locale as (
            insert into awf.locale_totals as d (variation_id, period, start, locale_id, %4$s)
            select t.variation_id, t.period, t.start, t.locale_id, %3$s
            from (
                select t.variation_id, p.period, p.start, t.locale_id, %2$s
                from totals as t
                cross join lateral (
                    values ('day', t.day), ('month', date_trunc('month', t.day)::date), ('run', '-infinity'::date)
                ) as p (period, start)
                where t.world_id is not null
                group by t.variation_id, p.period, p.start, t.locale_id
            ) as t
            on conflict (variation_id, period, start, locale_id) do update set %5$s
        )
        $sql$,
        awf._each_metric(
            'awf._sum(c.%1$s_count) as n%2$s, awf._sum(c.%1$s_sum) as s%2$s, sum(c.%1$s_squares) as q%2$s, min(c.%1$s_min) as a%2$s, '
            'max(c.%1$s_max) as z%2$s'
        ),
        c_sums, c_lists, c_columns, c_merge
    );
end;
$$;
comment on function awf._totals_part() is
'Common table expressions that merge the cells into daily_totals, dimension_totals, hourly_totals and locale_totals.';
