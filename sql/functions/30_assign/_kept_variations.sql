-- The sticky assignments of units: what they were first exposed to under each bucket version of an experiment.
-- Called by _sticky_of() and _assign_units().
-- Costs an index lookup a unit, or a scan of the experiment's exposures.
create or replace function awf._kept_variations(p_experiment_id bigint, p_units text[], p_at timestamptz)
returns table (unit_id text, bucket_version integer, variation_key text)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select distinct on (x.unit_id, p.bucket_version) x.unit_id, p.bucket_version, v.variation_key
    from awf.exposures as x
    inner join (
        select distinct t.phase, t.bucket_version
        from awf.experiment_phases as t
        where t.experiment_id = p_experiment_id
    ) as p on x.phase = p.phase
    inner join awf.variation_ids as v on x.variation_id = v.id
    where x.experiment_id = p_experiment_id and x.first_ts <= p_at
        and x.unit_id in (select u.unit_id from unnest(p_units) as u (unit_id))
    order by x.unit_id, p.bucket_version, x.first_ts, x.event_id;
end;
$$;
comment on function awf._kept_variations(bigint, text[], timestamptz) is
'One row a unit and bucket version, from the exposures up to p_at.';
