-- The parts of a statement that add events e to the totals of units, or put them in the place of the day's totals.
-- Called by _merge_events(), behind _cells_part().
-- Costs nothing; see _moved_part().
create or replace function awf._units_part(p_day date, p_anew boolean, p_newcomers_known boolean)
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return awf._moved_part(
        format(
            $sql$
            select
                l.variation_id, case l.hash_basis when 'player' then encode(c.player_hash, 'hex') else c.session_id end as unit_id,
                c.day, c.world_id, c.locale_id, c.player_hash, %s
            from cells as c
            inner join lists as l on c.assignments = l.assignments
            $sql$, awf._unit_sums('c.%1$s')
        )
        || case
            when p_anew then format(
                ' union all select t.variation_id, t.unit_id, t.day, t.world_id, t.locale_id, t.player_hash, %s '
                'from awf.unit_totals as t where t.day = %L', awf._unit_sums('-t.%1$s'), p_day
            )
            else ''
        end,
        -- Who has totals has an exposure.
        case when p_newcomers_known then 'select n.variation_id, n.unit_id from news as n where n.known_variation_id is null' end
    );
end;
$$;
comment on function awf._units_part(date, boolean, boolean) is
'Common table expressions that merge the cells into unit_totals and experiment_moments; with p_anew they replace what the day had there.
p_newcomers_known: _exposures_part() stands before them, and who has no exposure has no totals.';
