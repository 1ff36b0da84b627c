-- The figures of a report's row, made from sums.
-- Called for each row of experiment_report(), activity_report() and backfill().
-- Costs a few divisions.
create or replace function awf._figures(
    p_metrics smallint[],
    p_n bigint[],
    p_sums numeric[],
    out turns bigint,
    out failed_turns bigint,
    out bundle_tokens numeric,
    out output_tokens numeric,
    out avg_turn_latency_ms numeric,
    out avg_model_latency_ms numeric,
    out avg_bundle_ms numeric,
    out avg_bundle_tokens numeric,
    out avg_output_tokens numeric,
    out avg_retries numeric,
    out avg_fallbacks numeric,
    out avg_tool_calls numeric,
    out avg_acts numeric,
    out avg_choices numeric,
    out avg_time_advance_ticks numeric
)
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_n bigint[];
    v_sums numeric[];
begin
    for i in 1 .. cardinality(p_metrics) loop
        v_n[p_metrics[i]] := p_n[i];
        v_sums[p_metrics[i]] := p_sums[i];
    end loop;
    turns := coalesce(v_n[0], 0);
    failed_turns := coalesce(v_sums[0], 0);
    bundle_tokens := coalesce(v_sums[4], 0);
    output_tokens := coalesce(v_sums[5], 0);
    avg_turn_latency_ms := round(v_sums[1] / v_n[1] / 1000, 3);
    avg_model_latency_ms := round(v_sums[2] / v_n[2] / 1000, 3);
    avg_bundle_ms := round(v_sums[3] / v_n[3] / 1000, 3);
    avg_bundle_tokens := round(v_sums[4] / v_n[4], 3);
    avg_output_tokens := round(v_sums[5] / v_n[5], 3);
    avg_retries := round(v_sums[6] / v_n[6], 4);
    avg_fallbacks := round(v_sums[7] / v_n[7], 4);
    avg_tool_calls := round(v_sums[8] / v_n[8], 4);
    avg_acts := round(v_sums[9] / v_n[9], 4);
    avg_choices := round(v_sums[10] / v_n[10], 4);
    avg_time_advance_ticks := round(v_sums[11] / v_n[11], 4);
end;
$$;
comment on function awf._figures(smallint[], bigint[], numeric[]) is
'Turns, failed turns, sums of tokens and averages over the turns that carry the metric (latencies in ms), from the metrics with these ids:
how many turns carry each, and its sum in stored units.';
