-- Forgets once more whoever was forgotten and is there again: after the restore of an older dump or archive, or a late replay.
-- Called by admins.
-- Computes a digest for each stored player, then costs what forget_player() costs, once for all of them.
create or replace function awf.reapply_erasures()
returns table (players integer, events bigint)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_hashes bytea[];
    v_first_id bigint;
begin
    perform awf._require_safe_owner();
    if exists (select from awf.erasures) then
        v_hashes := array(
            select s.player_hash
            from (
                select e.player_hash from awf.turn_events as e
                union
                select x.player_hash from awf.exposures as x
                union
                select c.player_hash from awf.crossovers as c
                union
                select t.player_hash from awf.unit_totals as t
                union
                select d.player_hash from awf.player_days as d
                union
                select r.player_hash from awf.rejected_events as r where r.player_hash is not null
                union
                select decode(o.unit_id, 'hex') from awf.experiment_overrides as o where awf._is_player_hash(o.unit_id)
            ) as s
            where awf._erasure_digest(s.player_hash) in (select e.digest from awf.erasures as e)
            order by 1
        );
    end if;
    players := coalesce(cardinality(v_hashes), 0);
    events := 0;
    if players > 0 then
        v_first_id := awf._erase_players(v_hashes);
        events := (select sum(e.events) from awf.erasures as e where e.id >= v_first_id);
    end if;
    return next;
end;
$$;
comment on function awf.reapply_erasures() is
'Erases every stored player whose digest stands in erasures, as forget_player() does, and returns how many players and events that were.
An older dump does not know of later erasures: restore the rows of awf.erasures and awf.erasure_key of the present database with it,
then call this.
Errors: WF205 (the key of the erasures is gone).
Example: SELECT * FROM awf.reapply_erasures();';
