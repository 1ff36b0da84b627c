-- Refuses a player hash that is none, before a raw player id can be taken for one.
-- Called by every function that takes a player hash.
-- Costs next to nothing.
create or replace function awf._check_player_hash(p_player_hash text)
returns void
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_player_hash <> '' and not awf._is_player_hash(p_player_hash) then
        raise exception using
            errcode = 'WF001',
            message = format('a player hash of %s characters is none', length(p_player_hash)),
            detail = 'A player hash is 64 lower-case hexadecimal digits; the text is not shown, as it may be a player id.',
            hint = 'Make it with awf.hash_player() or in the client: HMAC-SHA256 of the player id.';
    end if;
end;
$$;
comment on function awf._check_player_hash(text) is 'Raises WF001 unless the text is NULL, empty or 64 lower-case hexadecimal digits.';
