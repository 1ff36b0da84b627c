-- Decides for many units at once, as _decide() does for one.
-- Called by assign_many() and simulate_assignment().
-- Costs what _bucket_units() costs, and for a sticky experiment a look at the units' exposures.
create or replace function awf._assign_units(
    p_experiment jsonb, p_experiment_id bigint, p_units text[], p_attributes jsonb, p_at timestamptz, p_opted_in boolean
)
returns table (unit_id text, variation_key text)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_phase constant jsonb := awf._phase_at(p_experiment, p_at);
    v_sticky constant boolean := (p_experiment -> 'sticky')::boolean;
    v_met constant boolean := v_phase is not null and awf.matches(v_phase -> 'condition', p_attributes);
begin
    if coalesce(v_phase -> 'variations', '[]') = '[]'
        or p_opted_in is false or (p_experiment -> 'optIn' = 'true' and p_opted_in is null) then
        return query select u.unit_id, null::text from unnest(p_units) with ordinality as u (unit_id, place) order by u.place;
        return;
    end if;
    return query
    select
        b.unit_id,
        case
            when b.unit_id = '' then null
            when o.variation is not null then o.variation ->> 'key'
            when not b.in_layer or k.blocked then null
            when k.variation is not null then k.variation ->> 'key'
            when v_met then b.variation_key
        end
    from awf._bucket_units(p_experiment, v_phase, p_units) as b
    left join (
        select o.key as unit_id, awf._variation_of(v_phase, o.value) as variation
        from jsonb_each_text(p_experiment -> 'overrides') as o
    ) as o on b.unit_id = o.unit_id
    left join (
        select
            k.unit_id,
            bool_or(k.bucket_version < (v_phase -> 'minBucketVersion')::integer) as blocked,
            awf._variation_of(
                v_phase, max(k.variation_key) filter (where k.bucket_version = (v_phase -> 'bucketVersion')::integer)
            ) as variation
        from awf._kept_variations(p_experiment_id, case when v_sticky then p_units end, p_at) as k
        group by k.unit_id
    ) as k on b.unit_id = k.unit_id
    order by b.place;
end;
$$;
comment on function awf._assign_units(jsonb, bigint, text[], jsonb, timestamptz, boolean) is
'One row a unit, in the order of p_units; variation_key is NULL for those that are out.';
