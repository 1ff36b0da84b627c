-- The keyed digest by which an erasure tells whom it was about.
-- Called by _erase_players() and reapply_erasures().
-- Costs one lookup and two SHA-256 runs.
create or replace function awf._erasure_digest(p_player_hash bytea)
returns bytea
language plpgsql
stable
strict
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_digest constant bytea := (
        select sha256(k.outer_pad || sha256(k.inner_pad || p_player_hash)) from awf.erasure_key as k
    );
begin
    if v_digest is null then
        raise exception using
            errcode = 'WF205',
            message = 'the key of the erasures is gone from this database',
            hint = 'Restore the row of awf.erasure_key from a backup: without it nobody can be recognized who was forgotten before.';
    end if;
    return v_digest;
end;
$$;
comment on function awf._erasure_digest(bytea) is
'HMAC-SHA256 (RFC 2104) of a player hash under the secret of erasure_key; raises WF205 when that is gone.';
