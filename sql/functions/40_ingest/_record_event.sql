-- Stores one event document, or raises what is wrong with it.
-- Called by record_turn() and INSERT on analytics_events.
-- Costs about ten lookups; the transaction's first event of a day writes a row of the ingest log.
create or replace function awf._record_event(p_event jsonb)
returns uuid
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_event record;
    v_fault text;
    v_batch_id bigint;
begin
    select e.* into v_event from awf._parse_event(p_event) as e;
    v_fault := coalesce(v_event.fault, (
        select awf._event_fault(
            v_event.ts, v_event.id, v_event.session_id, v_event.player_hash, v_event.world_ref, v_event.adventure_ref,
            v_event.locale, v_event.model, null, v_event.metrics, v_event.extra, w.oldest, w.newest, null, v_event.attributes
        )
        from awf._event_window() as w
    ));
    if starts_with(v_fault, 'no_hash_key:') then
        raise exception using
            errcode = 'WF205',
            message = format('event refused: %s', v_fault),
            hint = 'Hash in the client (AWF_PLAYER_HASH_KEY), or store the key with awf.set_player_hash_key().';
    elsif v_fault is not null then
        raise exception using
            errcode = 'WF201',
            message = format('event refused: %s', v_fault),
            detail = format('Event: %s', awf._event_remains(p_event)),
            hint = 'Correct the field and send the event again. awf.record_turns() keeps bad events aside instead.';
    end if;
    -- Before the INSERT, which a new partition could no longer be attached under.
    v_batch_id := awf._insert_batch((v_event.ts at time zone 'UTC')::date);
    insert into awf.turn_events (
        ts, id, batch_id, session_id, player_hash, world_id, adventure_id, locale_id, model_id, assignments, failed,
        turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens, retries,
        fallbacks, tool_calls, acts, choices, time_advance_ticks, extra, attributes
    )
    values (
        v_event.ts, v_event.id, v_batch_id, v_event.session_id, v_event.player_hash,
        awf._dimension_id('world', v_event.world_ref), awf._dimension_id('adventure', v_event.adventure_ref),
        awf._dimension_id('locale', v_event.locale), awf._dimension_id('model', v_event.model), v_event.assignments, v_event.failed,
        v_event.metrics[1], v_event.metrics[2], v_event.metrics[3], v_event.metrics[4], v_event.metrics[5], v_event.metrics[6],
        v_event.metrics[7], v_event.metrics[8], v_event.metrics[9], v_event.metrics[10], v_event.metrics[11],
        nullif(v_event.extra, '{}'), nullif(v_event.attributes, '{}')
    )
    on conflict (id, ts) do nothing;
    return v_event.id;
end;
$$;
comment on function awf._record_event(jsonb) is 'Stores an event document and returns its id; raises WF201, or WF205, when it is refused.';
