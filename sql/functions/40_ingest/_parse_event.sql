-- Reads an event document into columns, or says what cannot be read.
-- Called by record_turn(), record_turns() and INSERT on analytics_events.
-- Costs a walk over the document.
create or replace function awf._parse_event(
    p_event jsonb,
    out ts timestamptz,
    out id uuid,
    out session_id text,
    out player_hash bytea,
    out world_ref text,
    out adventure_ref text,
    out locale text,
    out model text,
    out assignments integer[],
    out failed boolean,
    out metrics bigint[],
    out extra jsonb,
    out attributes jsonb,
    out fault text
)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_metrics constant jsonb := awf._event_metrics(p_event);
begin
    -- No query in here: a plain expression is evaluated five times as fast.
    ts := awf._event_ts(p_event);
    metrics := awf._metric_values(v_metrics);
    assignments := awf._event_assignments(p_event, ts);
    fault := awf._document_fault(p_event, ts, v_metrics, metrics, assignments);
    if fault is not null then
        return;
    end if;
    id := coalesce((p_event ->> 'id')::uuid, awf._new_id());
    session_id := coalesce(p_event ->> 'session_id', p_event ->> 'sessionId');
    player_hash := awf._event_player(p_event);
    world_ref := coalesce(p_event ->> 'world_ref', p_event ->> 'worldRef');
    adventure_ref := coalesce(p_event ->> 'adventure_ref', p_event ->> 'adventureRef');
    locale := coalesce(p_event ->> 'locale', 'en-US');
    model := coalesce(p_event ->> 'model', v_metrics ->> 'model');
    failed := coalesce((v_metrics ->> 'failed')::boolean, false);
    extra := v_metrics - awf._metric_names() - array['failed', 'model'];
    attributes := nullif(p_event -> 'attributes', 'null');
end;
$$;
comment on function awf._parse_event(jsonb) is
'The event document as columns; metrics in stored units, in the order of _metric_columns(). fault is "reason: what is wrong" or NULL.';
