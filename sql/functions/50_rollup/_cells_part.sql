-- The parts of a statement that add up events e by unit, as finely as exposures, unit_totals and player_days need it.
-- Called by _merge_events().
-- Costs one hash aggregate over the events.
create or replace function awf._cells_part()
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Each list of assignments is spread over its variations once; there are few lists.
    return format(
        $sql$
        cells as materialized (
            select
                (e.day_at at time zone 'UTC')::date as day, e.assignments, e.session_id, e.player_hash, e.world_id, e.locale_id, min(e.ts) as first_ts,
                count(*) as turns, count(*) filter (where e.failed) as failed_turns, %s
            from e
            group by e.day_at, e.assignments, e.session_id, e.player_hash, e.world_id, e.locale_id
        ),

        lists as materialized (
            select l.assignments, i.experiment_id, i.phase, i.id as variation_id, p.hash_basis
            from (select distinct d.assignments from cells as d) as l
            inner join awf.variation_ids as i on i.id = any (l.assignments)
            inner join awf.experiments as p on p.id = i.experiment_id
        )
        $sql$,
        awf._each_metric('count(e.%1$s) as %1$s_count, coalesce(sum(e.%1$s), 0) as %1$s_sum')
    );
end;
$$;
comment on function awf._cells_part() is
'Common table expressions cells (totals of the events e by day, list of assignments, session, player, world and locale) and lists (the
variations of each list, where their experiment stands).';
