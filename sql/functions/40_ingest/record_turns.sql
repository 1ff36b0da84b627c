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
    perform awf._stage_events(array(select t.event from jsonb_array_elements(p_turns) with ordinality as t (event, place) order by t.place));
    return query select i.accepted, i.duplicate, i.rejected from awf.ingest_batch() as i;
end;
$$;
comment on function awf.record_turns(jsonb) is
'Stores an array of events (see record_turn) and returns how many were accepted, were stored already, and were rejected. A bad event
costs the others nothing: it is kept in rejected_events with its reason.
Errors: WF201 (no array).
Example: SELECT * FROM awf.record_turns(''[{"session_id": "s1", "player_id": "p1", "world_ref": "w", "adventure_ref": "a"}]'');';
