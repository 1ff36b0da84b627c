-- Counts the units of an experiment whose first exposure lies in a range of days.
-- Called by experiment_report().
-- Costs a scan of the experiment's exposures; over several phases, a join of them with themselves.
create or replace function awf._count_units(p_experiment_id bigint, p_from date, p_to date, p_by text[])
returns table (variation_key text, locale text, phase integer, units bigint)
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_repeats boolean;
begin
    perform awf._require_safe_owner();
    -- A unit has one exposure in each phase.
    v_repeats := 'phase' <> all (p_by) and (
        select count(distinct v.phase) > 1 from awf.variation_ids as v where v.experiment_id = p_experiment_id
    );
    return query
    select g.by_variation, g.by_locale, g.by_phase, count(*)
    from awf.exposures as x
    inner join awf.variation_ids as v on x.variation_id = v.id
    inner join awf.dimensions as l on x.locale_id = l.id
    cross join lateral (
        select
            case when 'variation' = any (p_by) then v.variation_key end as by_variation,
            case when 'locale' = any (p_by) then l.value end as by_locale,
            case when 'phase' = any (p_by) then x.phase end as by_phase
    ) as g
    where x.experiment_id = p_experiment_id
        and x.first_ts >= coalesce(p_from, '-infinity')::timestamp at time zone 'UTC'
        and x.first_ts < (coalesce(p_to, 'infinity') + interval '1 day') at time zone 'UTC'
        -- Over all phases it counts once, where it came first; once in each variation that it was in, if they are told apart.
        and not exists (
            select
            from awf.exposures as o
            inner join awf.variation_ids as w on o.variation_id = w.id
            where v_repeats and o.experiment_id = x.experiment_id and o.unit_id = x.unit_id
                and (o.first_ts, o.event_id, o.phase) < (x.first_ts, x.event_id, x.phase)
                and (g.by_variation is null or w.variation_key = g.by_variation)
        )
    group by g.by_variation, g.by_locale, g.by_phase;
end;
$$;
comment on function awf._count_units(bigint, date, date, text[]) is
'Units first exposed from p_from to p_to (UTC), by what p_by names of variation, locale (of the first exposure) and phase.';
