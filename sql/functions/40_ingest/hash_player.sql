-- The hash that stands for a player everywhere: HMAC-SHA256 under the stored key.
-- Called by services that do not hash themselves.
-- Costs one lookup and two SHA-256 runs.
create or replace function awf.hash_player(p_player_id text)
returns text
language plpgsql
stable
strict
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_hash text;
begin
    perform awf._require_safe_owner();
    if p_player_id = '' then
        raise exception using
            errcode = 'WF001',
            message = 'a player id cannot be empty',
            hint = 'Give the id by which your game knows the player; without one everybody would be the same player.';
    end if;
    select encode(sha256(k.outer_pad || sha256(k.inner_pad || convert_to(p_player_id, 'UTF8'))), 'hex')
    into v_hash
    from awf.player_hash_key as k;
    if v_hash is null then
        raise exception using
            errcode = 'WF205',
            message = 'no player hash key is stored in this database',
            hint = 'Hash in the client (AWF_PLAYER_HASH_KEY), or store the key with awf.set_player_hash_key().';
    end if;
    return v_hash;
end;
$$;
comment on function awf.hash_player(text) is
'HMAC-SHA256 (RFC 2104) of the player id under the stored key, as 64 hexadecimal digits; NULL for NULL. The same as a client
computes with the same AWF_PLAYER_HASH_KEY.
Errors: WF001 (an empty id), WF205 (no key is stored).
Example: SELECT awf.hash_player(''player-1'');';
