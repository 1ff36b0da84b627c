-- Recomputes the rollups of a range of days from their events and shows them.
-- Called by admins and the CLI.
-- Costs a refresh and one scan of the days; waits for a refresh at work.
create or replace function awf.backfill(p_from date, p_to date)
returns table (
    day date, experiment_key text, variation_key text, locale text, world_ref text,
    turns bigint, failed_turns bigint, bundle_tokens numeric, output_tokens numeric,
    avg_turn_latency_ms numeric, avg_model_latency_ms numeric, avg_bundle_ms numeric, avg_bundle_tokens numeric,
    avg_output_tokens numeric, avg_retries numeric, avg_fallbacks numeric, avg_tool_calls numeric, avg_acts numeric,
    avg_choices numeric, avg_time_advance_ticks numeric
)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    perform awf._check_range(p_from, p_to, true);
    perform awf._complete_rollups();
    perform awf._recompute_day(d.day)
    from awf._days_with_data(p_from, p_to) as d (day);
    return query select r.* from awf._rollup_rows(p_from, p_to) as r;
end;
$$;
comment on function awf.backfill(date, date) is
'Recomputes the daily rollups from p_from to p_to (UTC, both included) from their events and returns them: a row for each day,
experiment, variation, locale and world; rows with a NULL experiment count every turn once. Columns: turns, failed_turns, sums of
tokens, then averages over the turns that carry the metric (latencies in ms). The result equals what the refreshes had made.
Errors: WF002 (no range or a reversed one), WF301 (the events of a day are gone).
Example: SELECT * FROM awf.backfill(''2025-01-01'', ''2025-01-31'');';
