-- Counts the units of an experiment whose first exposure lies in a range of days.
-- Called by experiment_report().
-- Costs a scan of the experiment's exposures.
create or replace function awf._count_units(p_experiment_id bigint, p_from date, p_to date, p_by text[])
returns table (variation_key text, locale text, phase integer, units bigint)
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    -- A unit has an exposure in each phase. Over all phases it counts once, where and when it came first; once in each variation
    -- that it was in, if they are told apart.
    return query
    with exposed as (
        select
            x.unit_id, x.locale_id, x.first_ts, x.event_id,
            case when 'variation' = any (p_by) then v.variation_key end as by_variation,
            case when 'phase' = any (p_by) then x.phase end as by_phase
        from awf.exposures as x
        inner join awf.variation_ids as v on x.variation_id = v.id
        where x.experiment_id = p_experiment_id
    ),

    first_exposed as (
        select distinct on (x.unit_id, x.by_variation, x.by_phase) x.*
        from exposed as x
        order by x.unit_id, x.by_variation, x.by_phase, x.first_ts, x.event_id
    )

    select f.by_variation, g.by_locale, f.by_phase, count(*)
    from first_exposed as f
    inner join awf.dimensions as l on f.locale_id = l.id
    cross join lateral (select case when 'locale' = any (p_by) then l.value end as by_locale) as g
    where f.first_ts >= coalesce(p_from, '-infinity')::timestamp at time zone 'UTC'
        and f.first_ts < (coalesce(p_to, 'infinity') + interval '1 day') at time zone 'UTC'
    group by f.by_variation, g.by_locale, f.by_phase;
end;
$$;
comment on function awf._count_units(bigint, date, date, text[]) is
'Units first exposed from p_from to p_to (UTC), by what p_by names of variation, locale (of the first exposure) and phase.';
