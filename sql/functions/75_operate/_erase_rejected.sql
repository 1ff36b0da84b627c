-- Deletes the refused events of players, also those that name a hash in another place than it belongs.
-- Called by _erase_players().
-- Costs a scan of the refused events.
create or replace function awf._erase_rejected(p_hashes bytea[], p_first_id bigint)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    with named as (
        select r.id, h.hash
        from awf.rejected_events as r
        inner join unnest(p_hashes) as h (hash)
            on r.player_hash = h.hash or position(encode(h.hash, 'hex') in lower(r.detail || r.event::text)) > 0
    ),

    gone as (
        delete from awf.rejected_events as r where r.id in (select n.id from named as n) returning r.id
    )

    update awf.erasures as r set rejected = g.rejected
    from (select n.hash, count(*) as rejected from gone as d inner join named as n using (id) group by n.hash) as g
    where r.id >= p_first_id and r.digest = awf._erasure_digest(g.hash);
end;
$$;
comment on function awf._erase_rejected(bytea[], bigint) is
'Erases the players'' refused events and counts them in erasures from p_first_id on.';
