-- The parameters of one turn: defaults, overlaid with what the experiments in force set, within the guardrails.
-- Called by services that do not evaluate locally.
-- Costs active_config() and one hash per experiment.
create or replace function awf.turn_params(
    p_session_id text,
    p_player_hash text,
    p_defaults jsonb default '{}',
    p_attributes jsonb default '{}',
    p_at timestamptz default null,
    p_opted_in boolean default null,
    p_sticky jsonb default '[]'
)
returns jsonb
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_at constant timestamptz := coalesce(p_at, awf._now());
begin
    perform awf._require_safe_owner();
    perform awf._check_player_hash(p_player_hash);
    perform awf._check_attributes(p_attributes);
    if jsonb_typeof(p_defaults) <> 'object' then
        raise exception using
            errcode = 'WF001',
            message = format('defaults cannot be %s', left(p_defaults::text, 200)),
            hint = 'Give an object like {"maxOutputTokens": 1000}.';
    elsif jsonb_typeof(p_sticky) not in ('array', 'object') then
        raise exception using
            errcode = 'WF001',
            message = format('sticky documents cannot be %s', left(p_sticky::text, 200)),
            hint = 'Give a list of {"attributeName", "attributeValue", "assignments"}.';
    end if;
    return awf._evaluate(
        awf._config_document(p_at is not null), p_session_id, p_player_hash, p_defaults, p_attributes, v_at, p_opted_in,
        awf._sticky_of(p_session_id, p_player_hash, v_at) || awf.sticky_assignments(
            p_sticky, jsonb_build_array(jsonb_build_array('session', p_session_id), jsonb_build_array('player', p_player_hash))
        )
    );
end;
$$;
comment on function awf.turn_params(text, text, jsonb, jsonb, timestamptz, boolean, jsonb) is
'{"params": {...}, "exposures": [{"experiment", "variation", "id"}, ...], "forced": [...], "invalid": [...], "sticky": {...}} for one turn.
p_attributes: what the experiments'' conditions ask about, {"locale", "world", "adventure", "model"} and whatever else they name; a turn
that does not meet a condition is not in that experiment. p_at: the moment, now unless given; for a moment of the past the experiments
that have stopped since count too. p_opted_in: whether the turn has opted in: false means no experiment, NULL (it was not asked) means
none that needs it. p_sticky: sticky bucket documents (see sticky_assignments) of the units "session" and "player", which count
before what the exposures tell.
params: p_defaults overlaid with the params of the unit''s variations. Experiments apply in the order of (start_at, creation); a knob
that one has set is not set again by a later one. exposures: give them to record_turn() as "assignments". forced: variations of an
override, of the same form; their params count, and the turn is no exposure to them.
invalid: {"experiment", "variation", "knob", "value", "reason", "used"} for each value that was not taken as it stands; reason is
out_of_range (clamped to the nearest bound), wrong_type, unknown_knob (the default stays) or overlap (the earlier value stays).
sticky: {"<experiment>__<bucket version>": variation} for each sticky experiment that the turn counts for.
Errors: WF001 (a player hash that is none; defaults or attributes that are no object; sticky documents that are neither list nor object).
Example: SELECT awf.turn_params(''session-1'', NULL, ''{"maxOutputTokens": 1000}'');';
