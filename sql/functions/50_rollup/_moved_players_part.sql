-- The part of a statement that adds rows to the totals of players' days, or takes them away.
-- Called by _players_part() and _erase_units().
-- Costs an index lookup a row.
create or replace function awf._moved_players_part(p_players text)
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- In the order of the index, so that its pages are met but once.
    return format(
        $sql$
        players as (
            insert into awf.player_days as d (player_hash, day, %2$s)
            select m.*
            from (select u.player_hash, u.day, %4$s from (%1$s) as u group by u.player_hash, u.day) as m
            where %5$s
            order by m.player_hash, m.day
            on conflict (player_hash, day) do update set %3$s
        )
        $sql$,
        p_players, awf._unit_sums('%1$s'), awf._unit_sums('%1$s = d.%1$s + excluded.%1$s'),
        awf._unit_sums('awf._sum(u.%1$s) as %1$s'), awf._unit_sums('m.%1$s <> 0', ' or ')
    );
end;
$$;
comment on function awf._moved_players_part(text) is
'Common table expression that merges a query into player_days (columns as there, with what is to be added).';
