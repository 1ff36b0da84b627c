-- Records one turn.
-- Called by services without a client of their own.
-- Costs about ten lookups; use record_turns() or COPY for many.
create or replace function awf.record_turn(p_turn jsonb)
returns uuid
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    return awf._record_event(p_turn);
end;
$$;
comment on function awf.record_turn(jsonb) is
'Stores one event and returns its id; an event that is stored already (same id and ts) changes nothing.
Fields (snake_case or camelCase): session_id, player_hash (64 hexadecimal digits) or player_id (hashed with the stored key),
world_ref, adventure_ref; optional: id (UUID), ts (default: now), locale (default en-US), model, experiment_key and variation_key or
assignments ([{"experiment", "variation"}, ...], as turn_params() gives exposures), metrics ({"turnLatencyMs": 812.5,
"outputTokens": 210, "failed": false, ...}; further ones: numbers and booleans only), attributes ({"country": "FR", ...}: texts, numbers
and booleans about the unit, of which its first exposure keeps those that the setting exposure_attributes names).
Errors: WF201 (refused, naming field and value), WF205 (player_id without a stored key), WF301 (the events of its day have left the
database).
Example: SELECT awf.record_turn(''{"session_id": "s1", "player_id": "p1", "world_ref": "w", "adventure_ref": "a",
  "metrics": {"turnLatencyMs": 812.5, "outputTokens": 210}}'');';
