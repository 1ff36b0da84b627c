-- Counts the units of an experiment whose first exposure lies in a range of days.
-- Called by experiment_report().
-- Costs a scan of days that are counted already; over several phases, a join of the experiment's exposures with themselves.
create or replace function awf._count_units(
    p_experiment_id bigint, p_from date, p_to date, p_by text[], p_zone text default 'UTC'
)
returns table (variation_key text, locale_id integer, phase integer, units bigint)
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c_begin constant timestamptz := awf._day_begins(coalesce(p_from, '-infinity'), p_zone);
    c_end constant timestamptz := awf._day_begins(coalesce(p_to, 'infinity') + 1, p_zone);
    -- Days in UTC that the range holds as a whole, from c_first on and before c_last.
    c_first constant timestamptz := date_trunc('day', c_begin + interval '1 day' - interval '1 microsecond', 'UTC');
    c_last constant timestamptz := date_trunc('day', c_end, 'UTC');
    v_repeats boolean;
begin
    perform awf._require_safe_owner();
    -- A unit has one exposure in each phase.
    v_repeats := 'phase' <> all (p_by) and (
        select count(distinct v.phase) > 1 from awf.variation_ids as v where v.experiment_id = p_experiment_id
    );
    return query
    with counts as (
        select d.variation_id, d.locale_id, d.units
        from awf.exposure_days as d
        inner join awf.variation_ids as i on d.variation_id = i.id
        where not v_repeats and i.experiment_id = p_experiment_id
            and d.day::timestamp >= c_first at time zone 'UTC' and d.day::timestamp < c_last at time zone 'UTC'
        union all
        select e.variation_id, e.locale_id, e.units
        from (values (c_begin, c_first), (c_last, c_end)) as r (begins, ends)
        cross join lateral awf._count_exposed(p_experiment_id, r.begins, r.ends, false, false) as e
        where not v_repeats and r.begins < r.ends
        union all
        select e.variation_id, e.locale_id, e.units
        from awf._count_exposed(p_experiment_id, c_begin, c_end, true, 'variation' = any (p_by)) as e
        where v_repeats
    )

    select
        case when 'variation' = any (p_by) then v.variation_key end,
        case when 'locale' = any (p_by) then c.locale_id end,
        case when 'phase' = any (p_by) then v.phase end,
        sum(c.units)::bigint
    from counts as c
    inner join awf.variation_ids as v on c.variation_id = v.id
    group by 1, 2, 3;
end;
$$;
comment on function awf._count_units(bigint, date, date, text[], text) is
'Units first exposed from p_from to p_to (days of p_zone), by what p_by names of variation, locale (of the first exposure) and phase.';
