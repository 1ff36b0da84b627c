-- The columns that a writer may set, in the order of the direct COPY.
-- Called by _protect_partition().
-- Costs nothing: a constant.
create or replace function awf._copy_columns()
returns text
language sql
immutable
parallel safe
return
'ts, id, session_id, player_hash, world_id, adventure_id, locale_id, model_id, assignments, failed, '
|| 'turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens, retries, fallbacks, tool_calls, acts, choices, '
|| 'time_advance_ticks, extra, attributes';
comment on function awf._copy_columns() is 'Comma-separated columns of turn_events that writers may INSERT.';
