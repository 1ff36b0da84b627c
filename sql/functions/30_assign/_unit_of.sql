-- What an experiment of the configuration randomizes: the session or the player of a turn.
-- Called by _decide() and explain_assignment().
-- Costs nothing to speak of.
create or replace function awf._unit_of(p_experiment jsonb, p_session_id text, p_player_hash text)
returns text
language sql
immutable
parallel safe
return nullif(case p_experiment ->> 'hashBasis' when 'player' then p_player_hash else p_session_id end, '');
comment on function awf._unit_of(jsonb, text, text) is 'Session id or player hash; NULL when it is missing or empty.';
