-- Deletes the exposures and crossovers of players; sessions that they shared keep what the other players' events show.
-- Called by _erase_players().
-- Costs a scan of both tables, and an index lookup for each session and partition.
create or replace function awf._erase_exposures(p_hashes bytea[], p_first_id bigint)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_sessions text[];
begin
    with gone as (
        delete from awf.exposures as x where x.player_hash = any (p_hashes) returning x.player_hash, x.unit_id
    ),

    crossed as (
        delete from awf.crossovers as c where c.player_hash = any (p_hashes) returning c.unit_id
    ),

    counted as (
        update awf.erasures as r set exposures = g.exposures
        from (select x.player_hash, count(*) as exposures from gone as x group by x.player_hash) as g
        where r.id >= p_first_id and r.digest = awf._erasure_digest(g.player_hash)
    )

    select array(
        select u.unit_id
        from (select x.unit_id from gone as x union select c.unit_id from crossed as c) as u
        where u.unit_id not in (select encode(h.hash, 'hex') from unnest(p_hashes) as h (hash))
    )
    into v_sessions;
    if v_sessions <> '{}' then
        -- Of all days: the first event that is left may be one of another day.
        perform awf._merge_events(
            null, null, format('e.session_id = any (%L) and %s', v_sessions, awf._rolled_up()), '{exposures}'
        );
        -- What is left in one variation has crossed no more.
        delete from awf.crossovers as c
        where c.unit_id = any (v_sessions) and not exists (
            select
            from awf.crossovers as o
            where o.experiment_id = c.experiment_id and o.unit_id = c.unit_id and o.phase = c.phase and o.variation_id <> c.variation_id
        );
        -- What no stored event shows any more, as the others' turns are archived, is no unit: who has totals has an exposure.
        perform awf._subtract_units(
            format(
                't.unit_id = any (%L) and not exists (select from awf.exposures as x inner join awf.variation_ids as v '
                'on x.experiment_id = v.experiment_id and x.phase = v.phase where v.id = t.variation_id and x.unit_id = t.unit_id)',
                v_sessions
            )
        );
    end if;
end;
$$;
comment on function awf._erase_exposures(bytea[], bigint) is
'Erases the players'' exposures and crossovers, derives those of shared sessions anew, and counts them in erasures from p_first_id on. A
shared session of which no stored event is left is no unit any more.';
