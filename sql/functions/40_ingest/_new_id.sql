-- A UUIDv7: the time in milliseconds, then chance.
-- Called for events that come without an id.
-- Costs a random UUID.
create or replace function awf._new_id()
returns uuid
language plpgsql
volatile
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_bytes bytea := overlay(
        uuid_send(gen_random_uuid())
        placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1
    );
begin
    -- RFC 9562: version 7 in the upper half of byte 6.
    v_bytes := set_byte(v_bytes, 6, (get_byte(v_bytes, 6) & 15) | 112);
    return encode(v_bytes, 'hex')::uuid;
end;
$$;
comment on function awf._new_id() is 'A new UUIDv7 (RFC 9562).';
