-- Stores the key of hash_player() as the two pads that HMAC needs.
-- Called by admins, for services that let the database hash.
-- Writes one row.
create or replace function awf.set_player_hash_key(p_key text)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_key bytea := convert_to(coalesce(p_key, ''), 'UTF8');
begin
    perform awf._require_safe_owner();
    if octet_length(v_key) < 16 then
        raise exception using
            errcode = 'WF001',
            message = format('a player hash key of %s bytes is too short', octet_length(v_key)),
            hint = 'Take at least 16 bytes, better 32 random ones, and give every client the same AWF_PLAYER_HASH_KEY.';
    end if;
    -- RFC 2104: a key longer than the block is hashed first.
    if octet_length(v_key) > 64 then
        v_key := sha256(v_key);
    end if;
    insert into awf.player_hash_key (inner_pad, outer_pad)
    values (awf._pad_key(v_key, 54), awf._pad_key(v_key, 92))
    on conflict (singleton) do update set inner_pad = excluded.inner_pad, outer_pad = excluded.outer_pad, set_at = awf._now();
end;
$$;
comment on function awf.set_player_hash_key(text) is
'Stores the secret of hash_player(): at least 16 bytes (UTF-8), the same text as AWF_PLAYER_HASH_KEY of the clients. Nobody can read
it back. Another key gives every player another hash: player-based experiments then assign anew.
Errors: WF001 (too short).';
