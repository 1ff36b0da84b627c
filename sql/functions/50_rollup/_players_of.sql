-- The players and the variations of the events of one day that a condition selects, where an experiment by player needs them.
-- Called by _add_unit_level().
-- Costs one scan of the selected events, or nothing where no experiment goes by player.
create or replace function awf._players_of(p_day date, p_condition text)
returns table (players bytea[], variations integer[])
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- @plpgsql_check_options: security_warnings = off
    if exists (select from awf.experiments as p where p.hash_basis = 'player' and p.status <> 'draft') then
        return query execute format(
            $sql$
            with e as materialized (
                select e.player_hash, e.assignments from awf.turn_events as e where %s and (%s) group by e.player_hash, e.assignments
            )

            select
                array(select distinct e.player_hash from e),
                array(select distinct a.id from e cross join lateral unnest(e.assignments) as a (id))
            $sql$, awf._day_of_events(p_day), p_condition
        );
    end if;
end;
$$;
comment on function awf._players_of(date, text) is
'Players of the selected events of a day and numbers of the variations that they carry; no row where no experiment goes by player.';
