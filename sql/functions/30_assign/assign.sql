-- The variation of one experiment for a unit.
-- Called by services and analysts; a client with a configuration document computes the same by itself.
-- Costs a few lookups and one hash.
create or replace function awf.assign(
    p_experiment_key text,
    p_session_id text,
    p_player_hash text default null,
    p_attributes jsonb default '{}',
    p_at timestamptz default null,
    p_opted_in boolean default null
)
returns text
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._find_experiment(p_experiment_key);
    v_at constant timestamptz := coalesce(p_at, awf._now());
    v_decision jsonb;
begin
    perform awf._require_safe_owner();
    perform awf._check_player_hash(p_player_hash);
    perform awf._check_attributes(p_attributes);
    v_decision := awf._decide(
        awf._experiment_config(v_id), p_session_id, p_player_hash, p_attributes, v_at, p_opted_in,
        awf._sticky_of(p_session_id, p_player_hash, v_at, v_id)
    );
    return v_decision #>> '{variation,key}';
end;
$$;
comment on function awf.assign(text, text, text, jsonb, timestamptz, boolean) is
'Key of the variation that the experiment gives the unit (the session id or the player hash, as its hash basis says), or NULL when the
unit is out. explain_assignment() says why.
The same unit gets the same answer at every call. Assigning records nothing: an exposure comes with the turn''s event.
p_attributes: what is known of the turn: {"locale", "world", "adventure", "model"} and whatever else the condition names.
p_at: the moment, now unless given; for a moment of the past it is the answer of that time, also when the experiment has stopped since.
Overrides count as they are now, and params as they are now.
p_opted_in: whether the turn has opted in to experiments; NULL, it was not asked, is enough unless the experiment wants it.
Errors: WF101 (no such experiment), WF001 (a player hash that is none, attributes that are no object).
Example: SELECT awf.assign(''token-budget-test'', ''session-1'');';
