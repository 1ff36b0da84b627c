-- The daily rollup of a range of days, with averages.
-- Called by rollup_daily() and backfill().
-- Costs a scan of the days' totals.
create or replace function awf._rollup_rows(p_from date, p_to date)
returns table (
    day date, experiment_key text, variation_key text, locale text, world_ref text,
    turns bigint, failed_turns bigint, bundle_tokens numeric, output_tokens numeric,
    avg_turn_latency_ms numeric, avg_model_latency_ms numeric, avg_bundle_ms numeric, avg_bundle_tokens numeric,
    avg_output_tokens numeric, avg_retries numeric, avg_fallbacks numeric, avg_tool_calls numeric, avg_acts numeric,
    avg_choices numeric, avg_time_advance_ticks numeric
)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        t.first_day, v.experiment_key, v.variation_key, l.value, w.value,
        f.turns, f.failed_turns, f.bundle_tokens, f.output_tokens,
        f.avg_turn_latency_ms, f.avg_model_latency_ms, f.avg_bundle_ms, f.avg_bundle_tokens,
        f.avg_output_tokens, f.avg_retries, f.avg_fallbacks, f.avg_tool_calls, f.avg_acts,
        f.avg_choices, f.avg_time_advance_ticks
    from (
        -- Of all phases together.
        select array_agg(n.id) as ids, array_agg(n.group_id) as groups
        from (
            select 0 as id, 0 as group_id
            union all
            select i.id, min(i.id) over (partition by i.experiment_id, i.variation_key)
            from awf.variation_ids as i
        ) as n
    ) as g
    cross join lateral awf._sum_totals(g.ids, g.groups, p_from, p_to, '{day,locale,world}') as t
    cross join lateral awf._figures(t.metrics, t.n, t.sums) as f
    left join awf.variation_ids as v on t.group_id = v.id
    left join awf.dimensions as l on t.locale_id = l.id and l.kind = 'locale'
    left join awf.dimensions as w on t.world_id = w.id and w.kind = 'world'
    order by t.first_day, v.experiment_key nulls first, v.variation_key, l.value, w.value;
end;
$$;
comment on function awf._rollup_rows(date, date) is 'Rows of the daily rollup with totals and averages, every turn (NULL experiment) first.';
