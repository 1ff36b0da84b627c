-- Records many turns; what is refused is kept aside.
-- Called by services without a client of their own.
-- Takes the careful path of ingest.
create or replace function awf.record_turns(p_turns jsonb)
returns table (accepted integer, duplicate integer, rejected integer)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    if jsonb_typeof(p_turns) is distinct from 'array' then
        raise exception using
            errcode = 'WF201',
            message = format('turns are of type %s, not an array', coalesce(jsonb_typeof(p_turns), 'NULL')),
            hint = 'Give a JSON array of events, or one event to awf.record_turn().';
    end if;
    perform awf.open_stage();
    insert into pg_temp.awf_stage (
        ts, id, session_id, player_hash, world_ref, adventure_ref, locale, model, assignments, failed,
        turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens, retries,
        fallbacks, tool_calls, acts, choices, time_advance_ticks, extra, event, fault
    )
    select
        e.ts, e.id, e.session_id, e.player_hash, e.world_ref, e.adventure_ref, e.locale, e.model, e.assignments, e.failed,
        e.metrics[1], e.metrics[2], e.metrics[3], e.metrics[4], e.metrics[5], e.metrics[6],
        e.metrics[7], e.metrics[8], e.metrics[9], e.metrics[10], e.metrics[11], e.extra,
        case when e.fault is not null then t.event end, e.fault
    from jsonb_array_elements(p_turns) as t (event)
    cross join lateral awf._parse_event(t.event) as e;
    return query select i.accepted, i.duplicate, i.rejected from awf.ingest_batch() as i;
end;
$$;
comment on function awf.record_turns(jsonb) is
'Stores an array of events (see record_turn) and returns how many were accepted, were stored already, and were rejected. A bad event
costs the others nothing: it is kept in rejected_events with its reason.
Errors: WF201 (no array), WF205 (player_id without a stored key).
Example: SELECT * FROM awf.record_turns(''[{"session_id": "s1", "player_id": "p1", "world_ref": "w", "adventure_ref": "a"}]'');';
