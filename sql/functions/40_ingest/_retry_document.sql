-- A refused event as the document to try again, whichever of the two forms it was kept in.
-- Called by retry_rejected().
-- Costs a walk over the document.
create or replace function awf._retry_document(p_event jsonb, p_player_hash bytea, p_rejected_at timestamptz)
returns jsonb
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
declare
    v_event jsonb := jsonb_strip_nulls(p_event);
begin
    if awf._is_stage_row(v_event) then
        v_event := awf._stage_document(v_event);
    else
        -- A document without an id or a time gets them now and for good, so that it lands once, and when it happened.
        v_event := jsonb_build_object('id', awf._new_id(), 'ts', p_rejected_at) || v_event;
    end if;
    if jsonb_typeof(v_event -> 'assignments') = 'array' then
        v_event := v_event || jsonb_build_object('assignments', awf._named_assignments(v_event -> 'assignments'));
    end if;
    return v_event - 'playerHash' || jsonb_build_object('player_hash', encode(p_player_hash, 'hex'));
end;
$$;
comment on function awf._retry_document(jsonb, bytea, timestamptz) is
'The kept event (a document, or a row of the stage) as a document with id, ts and player hash.';
