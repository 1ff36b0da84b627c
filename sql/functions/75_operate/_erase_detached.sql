-- Deletes the events of players from days that are detached and not dropped yet.
-- Called by _erase_players().
-- Scans each such table. What was archived of it holds the players still, so the day must be archived anew.
create or replace function awf._erase_detached(p_hashes bytea[], p_first_id bigint)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_table record;
    v_gone bytea[];
begin
    for v_table in select t.day, t.relation from awf._event_tables() as t where not t.attached and t.relation is not null loop
        execute format(
            'with gone as (delete from %s as e where e.player_hash = any ($1) returning e.player_hash) '
            'select array(select g.player_hash from gone as g)',
            v_table.relation
        )
        into v_gone using p_hashes;
        continue when v_gone = '{}';
        update awf.erasures as r set events = r.events + g.events
        from (select h.hash, count(*) as events from unnest(v_gone) as h (hash) group by h.hash) as g
        where r.id >= p_first_id and r.digest = awf._erasure_digest(g.hash);
        update awf.event_days as d
        set archived_at = null, archive_file = null, archive_rows = null, archive_sha256 = null
        where d.day = v_table.day;
    end loop;
end;
$$;
comment on function awf._erase_detached(bytea[], bigint) is
'Erases the players'' events in detached tables, whose archives count no more, and counts them in erasures from p_first_id on.';
