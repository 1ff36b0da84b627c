-- Decides anew for the exposures that fall under one entry of an experiment's timeline.
-- Called by verify_assignments().
-- Costs a scan of the experiment's exposures and what _bucket_units() costs.
create or replace function awf._derive_exposures(
    p_experiment_id bigint, p_experiment jsonb, p_entry jsonb, p_from timestamptz, p_to timestamptz
)
returns table (unit_id text, variation_key text)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_phase constant integer := (p_entry -> 'phase')::integer;
    v_sticky constant boolean := (p_experiment -> 'sticky')::boolean;
    v_units constant text[] := array(
        select x.unit_id
        from awf.exposures as x
        where x.experiment_id = p_experiment_id and x.phase = v_phase and x.first_ts >= p_from and x.first_ts < p_to
    );
begin
    return query
    select
        b.unit_id,
        case
            when not b.in_layer or k.blocked then null
            when k.variation is not null then k.variation ->> 'key'
            else b.variation_key
        end
    from awf._bucket_units(p_experiment, p_entry, v_units) as b
    left join (
        -- What the unit had been exposed to before.
        select
            x.unit_id,
            bool_or(p.bucket_version < (p_entry -> 'minBucketVersion')::integer) as blocked,
            awf._variation_of(p_entry, (
                array_agg(v.variation_key order by o.first_ts, o.event_id)
                filter (where p.bucket_version = (p_entry -> 'bucketVersion')::integer)
            )[1]) as variation
        from awf.exposures as x
        inner join awf.exposures as o on x.experiment_id = o.experiment_id and x.unit_id = o.unit_id
        inner join awf.variation_ids as v on o.variation_id = v.id
        inner join (
            select distinct (t.value -> 'phase')::integer as phase, (t.value -> 'bucketVersion')::integer as bucket_version
            from jsonb_array_elements(p_experiment -> 'phases') as t
        ) as p on o.phase = p.phase
        where v_sticky and x.experiment_id = p_experiment_id and x.phase = v_phase
            -- A client that is late for a phase does not know what the unit was given in it.
            and o.phase < x.phase and (o.first_ts, o.event_id) < (x.first_ts, x.event_id)
        group by x.unit_id
    ) as k on b.unit_id = k.unit_id;
end;
$$;
comment on function awf._derive_exposures(bigint, jsonb, jsonb, timestamptz, timestamptz) is
'One row for each unit first exposed to the entry''s phase from p_from up to p_to, with the variation that layer, earlier exposures and
ranges give it; NULL for none.';
