-- Reads event documents into the stage; what cannot be read is marked with its fault.
-- Called by record_turns(), record_lines() and retry_rejected(), after open_stage().
-- Costs a walk over each document.
create or replace function awf._stage_events(p_events jsonb[], p_faults text[] default null, p_keep boolean default false)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into pg_temp.awf_stage (
        ts, id, session_id, player_hash, world_ref, adventure_ref, locale, model, assignments, failed,
        turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens, retries,
        fallbacks, tool_calls, acts, choices, time_advance_ticks, extra, attributes, event, fault
    )
    select
        e.ts, e.id, e.session_id, e.player_hash, e.world_ref, e.adventure_ref, e.locale, e.model, e.assignments, e.failed,
        e.metrics[1], e.metrics[2], e.metrics[3], e.metrics[4], e.metrics[5], e.metrics[6],
        e.metrics[7], e.metrics[8], e.metrics[9], e.metrics[10], e.metrics[11], e.extra, e.attributes,
        case when p_keep or coalesce(t.fault, e.fault) is not null then coalesce(t.event, '{}') end, coalesce(t.fault, e.fault)
    from unnest(p_events, p_faults) as t (event, fault)
    cross join lateral awf._parse_event(t.event) as e;
end;
$$;
comment on function awf._stage_events(jsonb[], text[], boolean) is
'Fills pg_temp.awf_stage with the documents. p_faults: what is known to be wrong with each; p_keep: the document stays beside the
columns, so that a refusal keeps it in this form.';
