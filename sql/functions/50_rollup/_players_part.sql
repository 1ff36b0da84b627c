-- The part of a statement that adds events e to the totals of players' days, or puts them in the place of the day's totals.
-- Called by _merge_events(), behind _cells_part().
-- Costs nothing; see _moved_players_part().
create or replace function awf._players_part(p_day date, p_anew boolean)
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return awf._moved_players_part(
        format('select c.player_hash, c.day, %s from cells as c', awf._unit_sums('c.%1$s'))
        || case
            when p_anew then format(
                ' union all select t.player_hash, t.day, %s from awf.player_days as t where t.day = %L', awf._unit_sums('-t.%1$s'), p_day
            )
            else ''
        end
    );
end;
$$;
comment on function awf._players_part(date, boolean) is
'Common table expression that merges the cells into player_days; with p_anew they replace what the day had there.';
