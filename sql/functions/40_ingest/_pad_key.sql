-- Pads an HMAC key to the block size of SHA-256 and XORs it with a byte.
-- Called by set_player_hash_key().
-- Costs 64 steps.
create or replace function awf._pad_key(p_key bytea, p_byte integer)
returns bytea
language plpgsql
immutable
strict
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_pad bytea := p_key || decode(repeat('00', 64 - octet_length(p_key)), 'hex');
begin
    for i in 0 .. 63 loop
        v_pad := set_byte(v_pad, i, get_byte(v_pad, i) # p_byte);
    end loop;
    return v_pad;
end;
$$;
comment on function awf._pad_key(bytea, integer) is 'The key, filled with zeros to 64 bytes, each XORed with the byte (RFC 2104).';
