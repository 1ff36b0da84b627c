-- Deletes all that is stored of players, and makes the rollups what they would be without them.
-- Called by forget_player() and reapply_erasures().
-- Waits for the rollup lock; scans every partition (an index on player_hash would cost every event) and touched days once more.
create or replace function awf._erase_players(p_hashes bytea[])
returns bigint
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_units constant text[] := array(select encode(h.hash, 'hex') from unnest(p_hashes) as h (hash));
    v_first_id bigint;
    v_days date[];
begin
    -- First the configuration, as open_phase() takes the two locks; and only where it names a player.
    if exists (select from awf.experiment_overrides as o where o.unit_id = any (v_units)) then
        perform awf._lock_configuration();
        delete from awf.experiment_overrides as o where o.unit_id = any (v_units);
    end if;
    perform awf._complete_rollups();
    with asked as (
        insert into awf.erasures (digest, erased_at, erased_by, events, exposures, rejected, days)
        select awf._erasure_digest(h.hash), awf._now(), awf._caller(), 0, 0, 0, 0
        from unnest(p_hashes) as h (hash)
        returning id
    )

    select min(a.id) into v_first_id from asked as a;
    with gone as (
        delete from awf.turn_events as e
        where e.player_hash = any (p_hashes)
        returning e.player_hash, (e.ts at time zone 'UTC')::date as day
    ),

    counted as (
        update awf.erasures as r set events = g.events, days = g.days
        from (select d.player_hash, count(*) as events, count(distinct d.day) as days from gone as d group by d.player_hash) as g
        where r.id >= v_first_id and r.digest = awf._erasure_digest(g.player_hash)
    )

    select array(select distinct g.day from gone as g order by 1) into v_days;
    perform awf._erase_units(p_hashes);
    perform awf._erase_exposures(p_hashes, v_first_id);
    perform awf._erase_rejected(p_hashes, v_first_id);
    perform awf._erase_detached(p_hashes, v_first_id);
    perform awf._recompute_totals(d.day) from unnest(v_days) as d (day);
    return v_first_id;
end;
$$;
comment on function awf._erase_players(bytea[]) is
'Erases the players of these hashes; returns the id of the first of their rows in erasures (no other call has a later one).';
