-- The player of a refused event, where it can be told: so that the player can be forgotten here too.
-- Called wherever an event document is refused.
-- Costs one regular expression, and an HMAC where the document has a player id and the key is stored.
create or replace function awf._readable_player(p_event jsonb)
returns bytea
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_hash constant text := coalesce(p_event ->> 'player_hash', p_event ->> 'playerHash');
    v_id constant text := nullif(coalesce(p_event ->> 'player_id', p_event ->> 'playerId'), '');
begin
    return case
        when v_hash ~* e'^(\\\\x)?[0-9a-f]{64}$' then decode(right(v_hash, 64), 'hex')
        when v_hash is null and v_id is not null and exists (select from awf.player_hash_key)
            then decode(awf.hash_player(v_id), 'hex')
    end;
end;
$$;
comment on function awf._readable_player(jsonb) is
'Player hash of an event document, 32 bytes, as given or of its player id; NULL when there is none that can be read.';
