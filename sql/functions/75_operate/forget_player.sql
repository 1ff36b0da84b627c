-- Forgets a player: deletes his events and what was derived from them, and repairs the rollups.
-- Called by admins.
-- Waits for a refresh at work; scans every partition, and each day that the player has played on once more.
create or replace function awf.forget_player(p_player_hash text)
returns table (events bigint, exposures bigint, rejected bigint, days integer)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_hash constant text := lower(p_player_hash);
    v_first_id bigint;
begin
    perform awf._require_safe_owner();
    if awf._is_player_hash(v_hash) is not true then
        raise exception using
            errcode = 'WF001',
            message = format('a player hash of %s characters is none', coalesce(length(p_player_hash), 0)),
            detail = 'A player hash is 64 hexadecimal digits; the text is not shown, as it may be a player id.',
            hint = 'Make it with awf.hash_player() or in the client: HMAC-SHA256 of the player id.';
    end if;
    v_first_id := awf._erase_players(array[decode(v_hash, 'hex')]);
    return query select e.events, e.exposures, e.rejected, e.days from awf.erasures as e where e.id >= v_first_id;
end;
$$;
comment on function awf.forget_player(text) is
'Erases a player, named by 64 hexadecimal digits (hash_player): events, exposures, crossovers, rejected events, and overrides that name
the hash. Sessions that he shared keep what the other players'' events show; the totals of the days he played on are made anew from the
events that are left. Returns how many events, first exposures and rejected events were deleted, and how many days were repaired.
Each call leaves a row in erasures, which tells the player by a keyed digest alone; a further call finds nothing and does no harm.
What it cannot reach: deleted rows stay on disk until VACUUM has passed, and in the write-ahead log; backups and archived partitions keep
theirs, and a client may yet send what it holds: call reapply_erasures() after a restore or a late replay. Conditions, notes and other
texts of experiments stay as they were written.
Errors: WF001 (no player hash), WF205 (the key of the erasures is gone).
Example: SELECT * FROM awf.forget_player(repeat(''0'', 64));';
