-- Adds the claimed events of one day, in one range of batches, to the additive totals.
-- Called by refresh_rollups() for each range, and by _recompute_totals().
-- Locks the cells it changes.
create or replace function awf._add_totals(p_day date, p_condition text)
returns bigint
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_events bigint;
begin
    with added as materialized (
        select t.* from awf._totals_of(p_day, p_condition) as t
    ),

    daily as (
        insert into awf.daily_totals as d (variation_id, day, world_id, locale_id, metric_id, n, sum, sum_squares, min, max)
        select a.variation_id, p_day, a.world_id, a.locale_id, a.metric_id, a.n, a.sum, a.sum_squares, a.min, a.max
        from added as a
        where a.world_id is not null
        on conflict (variation_id, day, world_id, locale_id, metric_id) do update set
            n = d.n + excluded.n,
            sum = d.sum + excluded.sum,
            sum_squares = d.sum_squares + excluded.sum_squares,
            min = least(d.min, excluded.min),
            max = greatest(d.max, excluded.max)
    ),

    by_dimension as (
        insert into awf.dimension_totals as d (variation_id, day, kind, dimension_id, metric_id, n, sum, sum_squares, min, max)
        select
            a.variation_id, p_day, case when a.adventure_id is null then 'model' else 'adventure' end,
            coalesce(a.adventure_id, a.model_id), a.metric_id, a.n, a.sum, a.sum_squares, a.min, a.max
        from added as a
        where a.adventure_id is not null or a.model_id is not null
        on conflict (variation_id, day, kind, dimension_id, metric_id) do update set
            n = d.n + excluded.n,
            sum = d.sum + excluded.sum,
            sum_squares = d.sum_squares + excluded.sum_squares,
            min = least(d.min, excluded.min),
            max = greatest(d.max, excluded.max)
    ),

    hourly as (
        insert into awf.hourly_totals as d (variation_id, hour, locale_id, metric_id, n, sum, sum_squares, min, max)
        select a.variation_id, a.hour, a.locale_id, a.metric_id, a.n, a.sum, a.sum_squares, a.min, a.max
        from added as a
        where a.hour is not null
        on conflict (variation_id, hour, locale_id, metric_id) do update set
            n = d.n + excluded.n,
            sum = d.sum + excluded.sum,
            sum_squares = d.sum_squares + excluded.sum_squares,
            min = least(d.min, excluded.min),
            max = greatest(d.max, excluded.max)
    )

    select coalesce(sum(a.n), 0) into v_events
    from added as a
    where a.variation_id = 0 and a.metric_id = 0 and a.world_id is not null;
    return v_events;
end;
$$;
comment on function awf._add_totals(date, text) is
'Adds the selected events of a day to daily_totals, dimension_totals and hourly_totals; returns how many events there were.';
