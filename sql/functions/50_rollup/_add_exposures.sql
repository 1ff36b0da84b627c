-- Keeps the first exposure of each unit to each phase among the events of one day that a condition selects.
-- Called by refresh_rollups() and _recompute_day().
-- Costs one scan of the selected events; the earliest by (ts, event id) stays, in whatever order events come.
create or replace function awf._add_exposures(p_day date, p_condition text)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
begin
    -- The condition is made by the callers from numbers alone.
    -- @plpgsql_check_options: security_warnings = off
    execute format(
        $sql$
        insert into awf.exposures as x (experiment_id, unit_id, phase, variation_id, locale_id, first_ts, event_id, player_hash)
        select distinct on (u.experiment_id, u.unit_id, u.phase)
            u.experiment_id, u.unit_id, u.phase, u.variation_id, u.locale_id, u.ts, u.id, u.player_hash
        from (
            select
                p.id as experiment_id,
                case p.hash_basis when 'player' then encode(e.player_hash, 'hex') else e.session_id end as unit_id,
                v.phase, v.id as variation_id, e.locale_id, e.ts, e.id, e.player_hash
            from awf.turn_events as e
            cross join lateral unnest(e.assignments) as a (variation_id)
            inner join awf.variation_ids as v on v.id = a.variation_id
            inner join awf.experiments as p on p.id = v.experiment_id
            where e.ts >= %L and e.ts < %L and (%s)
        ) as u
        order by u.experiment_id, u.unit_id, u.phase, u.ts, u.id, u.variation_id
        on conflict (experiment_id, unit_id, phase) do update set
            variation_id = excluded.variation_id,
            locale_id = excluded.locale_id,
            first_ts = excluded.first_ts,
            event_id = excluded.event_id,
            player_hash = excluded.player_hash
        where (excluded.first_ts, excluded.event_id) < (x.first_ts, x.event_id)
        $sql$,
        p_day::timestamp at time zone 'UTC', (p_day + 1)::timestamp at time zone 'UTC', p_condition
    );
end;
$$;
comment on function awf._add_exposures(date, text) is 'Merges the exposures shown by the selected events of a day into exposures.';
