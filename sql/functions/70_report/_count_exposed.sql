-- Counts the units of an experiment one by one.
-- Called by _count_units(), where the days that are counted already do not serve: for parts of a day, and over several phases.
-- Costs a scan of the exposures of that time.
create or replace function awf._count_exposed(
    p_experiment_id bigint, p_begin timestamptz, p_end timestamptz, p_once boolean, p_by_variation boolean
)
returns table (variation_id integer, locale_id integer, units bigint)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select x.variation_id, x.locale_id, count(*)
    from awf.exposures as x
    where x.experiment_id = p_experiment_id and x.first_ts >= p_begin and x.first_ts < p_end
        and not exists (
            select
            from awf.exposures as o
            inner join awf.variation_ids as w on o.variation_id = w.id
            inner join awf.variation_ids as v on x.variation_id = v.id
            where p_once and o.experiment_id = x.experiment_id and o.unit_id = x.unit_id
                and (o.first_ts, o.event_id, o.phase) < (x.first_ts, x.event_id, x.phase)
                and (not p_by_variation or w.variation_key = v.variation_key)
        )
    group by x.variation_id, x.locale_id;
end;
$$;
comment on function awf._count_exposed(bigint, timestamptz, timestamptz, boolean, boolean) is
'Units first exposed from p_begin on and before p_end, by variation and locale of that exposure. p_once: over all phases a unit counts
once, where it came first; or once in each variation that it was in (p_by_variation).';
