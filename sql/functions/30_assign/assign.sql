-- The variation of one experiment for a unit.
-- Called by services and analysts; a client with a configuration document computes the same by itself.
-- Costs a few lookups and one hash.
create or replace function awf.assign(
    p_experiment_key text,
    p_session_id text,
    p_player_hash text default null,
    p_attributes jsonb default '{}',
    p_at timestamptz default null
)
returns text
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._find_experiment(p_experiment_key);
begin
    perform awf._require_safe_owner();
    perform awf._check_player_hash(p_player_hash);
    perform awf._check_attributes(p_attributes);
    return (
        select awf._pick_variation(
            awf._experiment_config(e.id), p_session_id, p_player_hash, p_attributes, coalesce(p_at, awf._now())
        ) ->> 'key'
        from awf.experiments as e
        where e.id = v_id and e.status = 'running'
    );
end;
$$;
comment on function awf.assign(text, text, text, jsonb, timestamptz) is
'Key of the variation that the experiment gives the unit (the session id or the player hash, as its hash basis says), or NULL when
the unit is not in: the experiment does not run at p_at (default: now), the attributes do not meet its condition, the coverage leaves
the unit out, or the unit is missing.
The same unit gets the same answer at every call. Assigning records nothing: an exposure comes with the turn''s event.
p_attributes: what is known of the turn: {"locale", "world", "adventure", "model"} and whatever else the condition names.
Errors: WF101 (no such experiment), WF001 (a player hash that is none, attributes that are no object).
Example: SELECT awf.assign(''token-budget-test'', ''session-1'');';
