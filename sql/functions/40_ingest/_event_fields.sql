-- The fields of an event, by their snake_case and camelCase names and those of the staging table.
-- Called by _event_remains() and _parse_event().
-- Costs nothing: a constant.
create or replace function awf._event_fields()
returns text[]
language sql
immutable
parallel safe
return array[
    'id', 'ts', 'session_id', 'sessionId', 'player_hash', 'playerHash', 'player_id', 'playerId', 'world_ref', 'worldRef',
    'adventure_ref', 'adventureRef', 'locale', 'model', 'experiment_key', 'experimentKey', 'variation_key', 'variationKey',
    'assignments', 'metrics', 'attributes', 'created_at', 'createdAt'
];
comment on function awf._event_fields() is 'Names that an event''s fields may have.';
