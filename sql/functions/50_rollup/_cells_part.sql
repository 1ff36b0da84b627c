-- The parts of a statement that add up events e as finely as whatever is kept of them needs it.
-- Called by _merge_events().
-- Costs one hash aggregate over the events; what reads the cells has some ten times fewer rows, as many as sessions have turns.
create or replace function awf._cells_part(p_for_totals boolean, p_careful boolean)
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    c_keys constant text := 'e.day_at, e.assignments, e.session_id, e.player_hash, e.world_id, e.locale_id'
        || case when p_for_totals then ', e.adventure_id, e.model_id, hour' else '' end;
    c_sums constant text := awf._each_metric('count(e.%1$s) as %1$s_count, coalesce(sum(e.%1$s), 0) as %1$s_sum');
    c_for_totals constant text := ', e.adventure_id, coalesce(e.model_id, 0) as model_id, '
        'date_bin(''1 hour'', e.ts, ''2000-01-01 00:00:00+00'') as hour, '
        || awf._each_metric(
            replace(
                'min(e.%1$s) as %1$s_min, max(e.%1$s) as %1$s_max, {sum}(e.%1$s::bigint * e.%1$s) as %1$s_squares',
                '{sum}', case when p_careful then 'sum' else 'awf._sum' end
            )
        );
begin
    -- Turns of a session differ in few of the keys, so one grouping with all of them is quicker than one for totals and one for units.
    -- Each list of assignments is spread over its variations once; there are few lists.
    return format(
        $sql$
        cells as materialized (
            select
                e.day_at, (e.day_at at time zone 'UTC')::date as day, e.assignments, e.session_id, e.player_hash, e.world_id, e.locale_id,
                min(e.ts) as first_ts, count(*) as turns, count(*) filter (where e.failed) as failed_turns, %1$s
            from e
            group by %2$s
        ),

        %3$s,

        lists as materialized (
            select l.assignments, i.experiment_id, i.phase, i.id as variation_id, p.hash_basis
            from (select distinct s.assignments from places as s) as l
            inner join awf.variation_ids as i on i.id = any (l.assignments)
            inner join awf.experiments as p on p.id = i.experiment_id
        )
        $sql$,
        c_sums || case when p_for_totals then c_for_totals else '' end, c_keys, awf._places_part('cells')
    );
end;
$$;
comment on function awf._cells_part(boolean, boolean) is
'Common table expressions cells (totals of the events e by day, list of assignments, session, player, world and locale; for totals by
adventure, model and hour too, with minimum, maximum and sum of squares, numeric when p_careful), places, and lists (the variations of
each list, where their experiment stands).';
