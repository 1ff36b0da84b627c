-- The parts of a statement that add up events e once, as finely as the rollups of p_parts need it.
-- Called by _merge_events().
-- Costs one hash aggregate over the events.
create or replace function awf._cells_part(p_parts text[])
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_totals constant boolean := 'totals' = any (p_parts);
    v_units constant boolean := p_parts && array['exposures', 'units', 'players'];
    v_hour constant text := 'date_bin(''1 hour'', e.ts, ''2000-01-01 00:00:00+00'')';
begin
    -- Most sessions stay with an adventure and a model, so that the hour hardly makes the cells more. Each list of assignments is spread over
    -- its variations once; there are few lists.
    return format(
        $sql$
        cells as materialized (
            select
                (e.day_at at time zone 'UTC')::date as day, e.assignments, e.world_id, e.locale_id, %1$s,
                count(*) as turns, count(*) filter (where e.failed) as failed_turns, %2$s
            from e
            group by e.day_at, e.assignments, e.world_id, e.locale_id, %3$s
        ),

        lists as materialized (
            select l.assignments, i.experiment_id, i.phase, i.id as variation_id, p.hash_basis
            from (select distinct d.assignments from cells as d) as l
            inner join awf.variation_ids as i on i.id = any (l.assignments)
            inner join awf.experiments as p on p.id = i.experiment_id
        )
        $sql$,
        concat_ws(
            ', ',
            case when v_units then 'e.session_id, e.player_hash, min(e.ts) as first_ts' end,
            case
                when v_totals then 'e.adventure_id, coalesce(e.model_id, 0) as model_id, ' || v_hour || ' as hour, '
                    || 'min(e.failed::integer) as failed_min, max(e.failed::integer) as failed_max'
            end
        ),
        awf._each_metric(
            'count(e.%1$s) as %1$s_count, coalesce(sum(e.%1$s), 0) as %1$s_sum'
            || case
                when v_totals then ', sum(e.%1$s::bigint * e.%1$s) as %1$s_squares, min(e.%1$s) as %1$s_min, max(e.%1$s) as %1$s_max'
                else ''
            end
        ),
        concat_ws(
            ', ',
            case when v_units then 'e.session_id, e.player_hash' end,
            case when v_totals then 'e.adventure_id, coalesce(e.model_id, 0), ' || v_hour end
        )
    );
end;
$$;
comment on function awf._cells_part(text[]) is
'Common table expressions cells (totals of the events e by day, list of assignments, world and locale; for exposures, units and players also
by session and player, for totals also by adventure, model and hour) and lists (the variations of each list, where their experiment stands).';
