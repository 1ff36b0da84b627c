-- Recomputes the rollup of one day from its events and shows it.
-- Called by admins and the CLI.
-- Costs a refresh and one scan of the day; waits for a refresh at work.
create or replace function awf.rollup_daily(p_day date)
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
    return query select b.* from awf.backfill(p_day, p_day) as b;
end;
$$;
comment on function awf.rollup_daily(date) is
'Recomputes the daily rollup of a day (UTC) from its events and returns it: a row for each experiment, variation, locale and world;
rows with a NULL experiment count every turn once. Columns as in backfill(). A day without events gives no rows.
Errors: WF301 (the events of the day are gone), WF002 (no day).
Example: SELECT * FROM awf.rollup_daily(''2025-01-15'');';
