-- The query that adds up the events of one day that a condition selects by unit: cells as fine as unit_totals and player_days need them.
-- Called by _add_units().
-- Costs nothing; the query costs one scan of the selected events and one hash aggregate.
create or replace function awf._cells_of(p_day date, p_condition text)
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return format(
        'select e.assignments, e.session_id, e.player_hash, e.world_id, e.locale_id, '
        'count(*) as turns, count(*) filter (where e.failed) as failed_turns, %s '
        'from awf.turn_events as e where %s and (%s) '
        'group by e.assignments, e.session_id, e.player_hash, e.world_id, e.locale_id',
        awf._each_metric('count(e.%1$s) as %1$s_count, coalesce(sum(e.%1$s), 0) as %1$s_sum'),
        awf._day_of_events(p_day), p_condition
    );
end;
$$;
comment on function awf._cells_of(date, text) is
'SQL query: totals of the selected events of a day (UTC) by list of assignments, session, player, world and locale.';
