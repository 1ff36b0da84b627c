-- Adds the events of one day that a condition selects to the totals of units and players, or puts them in the place of the day's totals.
-- Called by refresh_rollups() for each range of batches, and by _recompute_day() for a day anew.
-- Costs one scan of the events, a few index lookups a unit; locks the rows it changes.
create or replace function awf._add_units(p_day date, p_condition text, p_anew boolean)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_sums constant text := awf._unit_sums('c.%1$s');
    v_units text;
    v_players text;
begin
    -- Each list of assignments is spread over its variations once; there are few lists.
    v_units := format(
        $sql$
        select v.variation_id, case v.hash_basis when 'player' then encode(c.player_hash, 'hex') else c.session_id end as unit_id,
            %L::date as day, c.world_id, c.locale_id, c.player_hash, %s
        from cells as c
        inner join (
            select l.assignments, i.id as variation_id, p.hash_basis
            from (select distinct d.assignments from cells as d) as l
            inner join awf.variation_ids as i on i.id = any (l.assignments)
            inner join awf.experiments as p on p.id = i.experiment_id
        ) as v on c.assignments = v.assignments
        $sql$, p_day, v_sums
    );
    v_players := format('select c.player_hash, %L::date as day, %s from cells as c', p_day, v_sums);
    if p_anew then
        v_units := v_units || format(
            ' union all select t.variation_id, t.unit_id, t.day, t.world_id, t.locale_id, t.player_hash, %s '
            'from awf.unit_totals as t where t.day = %L', awf._unit_sums('-t.%1$s'), p_day
        );
        v_players := v_players || format(
            ' union all select t.player_hash, t.day, %s from awf.player_days as t where t.day = %L', awf._unit_sums('-t.%1$s'), p_day
        );
    end if;
    perform awf._move_units(awf._cells_of(p_day, p_condition), v_units, v_players);
end;
$$;
comment on function awf._add_units(date, text, boolean) is
'Adds the selected events of a day to unit_totals, player_days and experiment_moments; with p_anew they replace what the day had there.';
