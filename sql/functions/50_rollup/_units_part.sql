-- The parts of a statement that add events e to the totals of units and players, or put them in the place of the day's totals.
-- Called by _merge_events(), behind _cells_part().
-- Costs nothing; see _moved_part().
create or replace function awf._units_part(p_day date, p_anew boolean)
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_units text := format(
        $sql$
        select
            l.variation_id, case l.hash_basis when 'player' then encode(c.player_hash, 'hex') else c.session_id end as unit_id,
            %L::date as day, c.world_id, c.locale_id, c.player_hash, %s
        from cells as c
        inner join lists as l on c.assignments = l.assignments
        $sql$, p_day, awf._unit_sums('c.%1$s')
    );
    v_players text := format('select c.player_hash, %L::date as day, %s from cells as c', p_day, awf._unit_sums('c.%1$s'));
begin
    if p_anew then
        v_units := v_units || format(
            ' union all select t.variation_id, t.unit_id, t.day, t.world_id, t.locale_id, t.player_hash, %s '
            'from awf.unit_totals as t where t.day = %L', awf._unit_sums('-t.%1$s'), p_day
        );
        v_players := v_players || format(
            ' union all select t.player_hash, t.day, %s from awf.player_days as t where t.day = %L', awf._unit_sums('-t.%1$s'), p_day
        );
    end if;
    return awf._moved_part(v_units, v_players);
end;
$$;
comment on function awf._units_part(date, boolean) is
'Common table expressions that merge the cells of a day into unit_totals, player_days and experiment_moments; with p_anew they replace
what the day had there.';
