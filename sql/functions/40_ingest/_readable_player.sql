-- The player of a refused event, where its hash can be read: so that the player can be forgotten here too.
-- Called wherever an event document is refused.
-- Costs one regular expression.
create or replace function awf._readable_player(p_event jsonb)
returns bytea
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_hash constant text := coalesce(p_event ->> 'player_hash', p_event ->> 'playerHash');
begin
    return case when v_hash ~* '^[0-9a-f]{64}$' then decode(v_hash, 'hex') end;
end;
$$;
comment on function awf._readable_player(jsonb) is 'Player hash of an event document, 32 bytes; NULL when there is none that can be read.';
