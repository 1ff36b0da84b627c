-- Derives every stored exposure of an experiment anew and lists those that do not agree.
-- Called by analysts and the CLI.
-- Costs a scan of the experiment's exposures and a hash each: 1 to 2 s for 100,000.
create or replace function awf.verify_assignments(p_key text, p_grace interval default '60 seconds')
returns table (unit_id text, phase integer, stored text, derived text, first_ts timestamptz)
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._find_experiment(p_key);
    v_experiment constant jsonb := awf._experiment_config(v_id);
begin
    perform awf._require_safe_owner();
    if p_grace is null or p_grace < interval '0' then
        raise exception using
            errcode = 'WF001',
            message = format('the grace cannot be %s', coalesce(p_grace::text, 'NULL')),
            hint = 'Give how far the configuration of a client may lag behind, such as 60 seconds.';
    end if;
    return query
    with timeline as (
        select
            p.value as entry, (p.value ->> 'startAt')::timestamptz as start_at,
            lead((p.value ->> 'startAt')::timestamptz, 1, 'infinity') over (order by p.ordinality) as end_at
        from jsonb_array_elements(v_experiment -> 'phases') with ordinality as p
    ),

    again as (
        select (t.entry -> 'phase')::integer as phase, t.start_at, t.end_at, d.unit_id, d.variation_key
        from timeline as t
        cross join lateral awf._derive_exposures(v_id, v_experiment, t.entry, t.start_at - p_grace, t.end_at + p_grace) as d
        where t.entry -> 'variations' <> '[]'
    )

    select
        x.unit_id, x.phase, v.variation_key,
        -- What was in force at that very moment comes first.
        (array_agg(a.variation_key order by x.first_ts >= a.start_at and x.first_ts < a.end_at desc, a.start_at desc))[1],
        x.first_ts
    from awf.exposures as x
    inner join awf.variation_ids as v on x.variation_id = v.id
    left join again as a on x.unit_id = a.unit_id and x.phase = a.phase
    where x.experiment_id = v_id
    group by x.unit_id, x.phase, v.variation_key, x.first_ts
    having not coalesce(bool_or(v.variation_key = a.variation_key), false)
    order by x.first_ts, x.unit_id;
end;
$$;
comment on function awf.verify_assignments(text, interval) is
'The stored exposures that the experiment''s timeline does not explain; none is what it should find. stored: variation of the exposure;
derived: the one that the experiment gives the unit in that phase at first_ts, NULL for none.
An exposure agrees when an entry of its phase''s timeline that was in force within p_grace of first_ts gives its variation, by layer,
earlier exposures (of a sticky experiment), ranges and coverage. Conditions and opt-in are not checked, as the attributes of turns are
not stored. Exposures appear with refresh_rollups().
Errors: WF101 (no such experiment), WF001 (a negative grace).
Example: SELECT * FROM awf.verify_assignments(''token-budget-test'');';
