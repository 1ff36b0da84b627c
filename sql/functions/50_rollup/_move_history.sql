-- Takes what players contribute to history_moments out (-1) or puts it in (+1), by what unit_totals, exposures and player_days say.
-- Called around every change of those three.
-- Costs some ten index lookups for each exposure of the players in an experiment by player.
create or replace function awf._move_history(p_players bytea[], p_variations integer[], p_day date, p_sign integer)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set jit = 'off'
as $$
begin
    -- @plpgsql_check_options: security_warnings = off
    -- Only where the day can matter: it lies before the first exposure, or the variation's totals change.
    execute format(
        $sql$
        with exposed as (
            select x.unit_id, x.experiment_id, x.phase, h.hash as player_hash, (x.first_ts at time zone 'UTC')::date as day
            from unnest($1) as h (hash)
            cross join (select p.id from awf.experiments as p where p.hash_basis = 'player') as p
            inner join awf.exposures as x on x.experiment_id = p.id and x.unit_id = encode(h.hash, 'hex')
        ),

        units as (
            select i.id as variation_id, y.*, b.*
            from exposed as e
            inner join awf.variation_ids as i on i.experiment_id = e.experiment_id and i.phase = e.phase
            cross join lateral (
                select %1$s from awf.unit_totals as u where u.variation_id = i.id and u.unit_id = e.unit_id
            ) as y
            cross join lateral (
                select %2$s
                from awf.player_days as u
                where u.player_hash = e.player_hash
                    and u.day >= e.day - (select s.history_days from awf.rollup_state as s) and u.day < e.day
            ) as b
            where (e.day >= $3 or i.id = any ($2)) and y.turns > 0 and b.x_turns > 0
        )

        insert into awf.history_moments as z (
            variation_id, metric_id, units, sum_xd, sum_xm, sum_xd_xd, sum_xd_xm, sum_xm_xm, sum_d_xd, sum_d_xm, sum_m_xd, sum_m_xm
        )
        select
            c.variation_id, v.metric_id, $4 * count(*) filter (where v.xd > 0), $4 * sum(v.xd), $4 * sum(v.xm),
            $4 * sum(v.xd * v.xd), $4 * sum(v.xd * v.xm), $4 * sum(v.xm * v.xm),
            $4 * sum(v.d * v.xd), $4 * sum(v.d * v.xm), $4 * sum(v.m * v.xd), $4 * sum(v.m * v.xm)
        from units as c
        cross join lateral (
            values (0, c.turns, c.failed_turns, c.x_turns, c.x_failed_turns), %3$s
        ) as v (metric_id, d, m, xd, xm)
        group by c.variation_id, v.metric_id
        on conflict (variation_id, metric_id) do update set
            units = z.units + excluded.units, sum_xd = z.sum_xd + excluded.sum_xd, sum_xm = z.sum_xm + excluded.sum_xm,
            sum_xd_xd = z.sum_xd_xd + excluded.sum_xd_xd, sum_xd_xm = z.sum_xd_xm + excluded.sum_xd_xm,
            sum_xm_xm = z.sum_xm_xm + excluded.sum_xm_xm, sum_d_xd = z.sum_d_xd + excluded.sum_d_xd,
            sum_d_xm = z.sum_d_xm + excluded.sum_d_xm, sum_m_xd = z.sum_m_xd + excluded.sum_m_xd,
            sum_m_xm = z.sum_m_xm + excluded.sum_m_xm
        $sql$,
        awf._unit_sums('sum(u.%1$s) as %1$s'), awf._unit_sums('sum(u.%1$s) as x_%1$s'),
        awf._each_metric('(%2$s, c.%1$s_count, c.%1$s_sum, c.x_%1$s_count, c.x_%1$s_sum)')
    )
    using p_players, p_variations, p_day, p_sign;
end;
$$;
comment on function awf._move_history(bytea[], integer[], date, integer) is
'Adds p_sign times what the players'' units contribute to history_moments, where their first exposure lies on p_day or later or their
variation is one of p_variations. Called before a change with -1 and behind it with 1, it moves the moments by the difference.';
