-- The parameters of one turn: defaults, overlaid with what the experiments in force set, within the guardrails.
-- Called by services that do not evaluate locally.
-- Costs active_config() and one hash per experiment.
create or replace function awf.turn_params(
    p_session_id text,
    p_player_hash text,
    p_defaults jsonb default '{}',
    p_attributes jsonb default '{}',
    p_at timestamptz default null
)
returns jsonb
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    perform awf._check_player_hash(p_player_hash);
    perform awf._check_attributes(p_attributes);
    if jsonb_typeof(p_defaults) <> 'object' then
        raise exception using
            errcode = 'WF001',
            message = format('defaults cannot be %s', left(p_defaults::text, 200)),
            hint = 'Give an object like {"maxOutputTokens": 1000}.';
    end if;
    return awf._evaluate(awf.active_config(), p_session_id, p_player_hash, p_defaults, p_attributes, coalesce(p_at, awf._now()));
end;
$$;
comment on function awf.turn_params(text, text, jsonb, jsonb, timestamptz) is
'{"params": {...}, "exposures": [{"experiment", "variation", "id"}, ...], "invalid": [...]} for one turn.
p_attributes: what the experiments'' conditions ask about, {"locale", "world", "adventure", "model"} and whatever else they name; a turn
that does not meet a condition is not in that experiment.
params: p_defaults overlaid with the params of the unit''s variations. Experiments apply in the order of (start_at, creation); a knob
that one has set is not set again by a later one. exposures: give them to record_turn() as "assignments".
invalid: {"experiment", "variation", "knob", "value", "reason", "used"} for each value that was not taken as it stands; reason is
out_of_range (clamped to the nearest bound), wrong_type, unknown_knob (the default stays) or overlap (the earlier value stays).
Errors: WF001 (a player hash that is none, defaults or attributes that are no object).
Example: SELECT awf.turn_params(''session-1'', NULL, ''{"maxOutputTokens": 1000}'');';
