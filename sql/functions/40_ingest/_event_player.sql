-- The player hash of an event document: as given, or of its player id, which goes no further.
-- Called by _parse_event().
-- Costs an HMAC where the document has a player id.
create or replace function awf._event_player(p_event jsonb)
returns bytea
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_hash constant text := coalesce(p_event ->> 'player_hash', p_event ->> 'playerHash');
begin
    return decode(
        coalesce(v_hash, awf.hash_player(nullif(coalesce(p_event ->> 'player_id', p_event ->> 'playerId'), ''))), 'hex'
    );
end;
$$;
comment on function awf._event_player(jsonb) is 'Player hash of an event document, 32 bytes; NULL when it names no player.';
