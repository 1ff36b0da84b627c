-- What was played: turns, failures, tokens and latencies of all turns, in experiments or not.
-- Called by readers, analysts, admins and the CLI.
-- Costs a scan of the totals and histograms of the range; how many events there are does not matter.
create or replace function awf.activity_report(
    p_from date default null,
    p_to date default null,
    p_by text[] default '{day}',
    p_zone text default 'UTC'
)
returns table (
    day date, locale text, world_ref text, adventure_ref text, model text,
    turns bigint, failed_turns bigint, bundle_tokens numeric, output_tokens numeric,
    avg_turn_latency_ms numeric, avg_model_latency_ms numeric, avg_bundle_ms numeric, avg_bundle_tokens numeric,
    avg_output_tokens numeric, avg_retries numeric, avg_fallbacks numeric, avg_tool_calls numeric, avg_acts numeric,
    avg_choices numeric, avg_time_advance_ticks numeric, quantiles jsonb
)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    c_by_unit constant boolean := p_by && array['day', 'week', 'month'];
    c_histograms constant boolean := not p_by && array['world', 'adventure', 'model']
        and (p_zone = 'UTC' or not c_by_unit and p_from is null and p_to is null);
    v_first date;
    v_last date;
begin
    perform awf._check_range(p_from, p_to);
    perform awf._check_activity(p_by, p_zone);
    select min(d.day), max(d.day) into v_first, v_last from awf.daily_totals as d where d.variation_id = 0;
    perform awf._require_zone(p_zone, p_from, p_to);
    if c_by_unit then
        perform awf._require_zone(p_zone, greatest(p_from, v_first), least(p_to, v_last), true);
    end if;
    return query
    select
        t.first_day, l.value, w.value, a.value, m.value,
        f.turns, f.failed_turns, f.bundle_tokens, f.output_tokens,
        f.avg_turn_latency_ms, f.avg_model_latency_ms, f.avg_bundle_ms, f.avg_bundle_tokens,
        f.avg_output_tokens, f.avg_retries, f.avg_fallbacks, f.avg_tool_calls, f.avg_acts,
        f.avg_choices, f.avg_time_advance_ticks, q.quantiles
    from awf._sum_totals('{0}', '{0}', p_from, p_to, p_by, p_zone) as t
    left join awf.dimensions as l on t.locale_id = l.id and l.kind = 'locale'
    left join awf.dimensions as w on t.world_id = w.id and w.kind = 'world'
    left join awf.dimensions as a on t.adventure_id = a.id and a.kind = 'adventure'
    left join awf.dimensions as m on t.model_id = m.id and m.kind = 'model'
    cross join lateral awf._figures(t.metrics, t.n, t.sums) as f
    left join awf._quantiles('{0}', '{0}', p_from, p_to, p_by) as q
        on c_histograms and t.first_day is not distinct from q.first_day and t.locale_id is not distinct from q.locale_id
    order by t.first_day, l.value, w.value, a.value, m.value;
    if not found then
        raise notice using
            message = case when v_first is null then 'there are no turns yet' else format(
                'there are no turns from %s to %s, but from %s to %s (UTC)',
                coalesce(p_from::text, 'the beginning'), coalesce(p_to::text, 'the end'), v_first, v_last
            ) end,
            hint = 'Events count once they are rolled up: awf.refresh_rollups() (awf-pg rollup refresh).';
    end if;
end;
$$;
comment on function awf.activity_report(date, date, text[], text) is
'The turns from p_from to p_to (both included; NULL: without a bound), each counted once whatever experiments it carries: a row for each
day, or for what p_by names: one of day, week (from Monday), month, and locale and world, or adventure, or model. A column that is not
asked for is NULL; day is the first one of the row''s week or month. Columns: turns, failed_turns, sums of tokens, averages over the
turns that carry the metric (latencies in ms), and quantiles as in experiment_report(), by time and locale in UTC. Days are those of
p_zone, UTC or the name of a zone that is whole hours away, by time and locale. It counts what has been rolled up. A range without turns
gives no rows and a notice.
Errors: WF002 (a reversed range), WF001 (p_by, p_zone).
Example: SELECT day, turns, output_tokens FROM awf.activity_report(''2025-01-01'', ''2025-01-31'');';
