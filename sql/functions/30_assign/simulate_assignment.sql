-- Tries an experiment out on made-up units, before it starts or at any time.
-- Called by analysts and the CLI.
-- Costs 5 to 6 us a unit.
create or replace function awf.simulate_assignment(p_key text, p_units integer default 10000, p_attributes jsonb default '{}')
returns table (variation_key text, expected_percent numeric, units bigint, percent numeric)
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._find_experiment(p_key);
    -- Made-up units have no past and nothing is forced on them; all have opted in.
    v_experiment constant jsonb := awf._experiment_config(v_id, true) || '{"sticky": false, "overrides": {}}';
    v_phase constant jsonb := v_experiment #> '{phases,0}';
    v_share double precision := 100;
begin
    perform awf._require_safe_owner();
    perform awf._check_attributes(p_attributes);
    if p_units is null or p_units not between 1 and 1000000 then
        raise exception using
            errcode = 'WF001',
            message = format('cannot simulate %s units', coalesce(p_units::text, 'NULL')),
            hint = 'Give a number from 1 to 1000000.';
    end if;
    if not awf.matches(v_phase -> 'condition', p_attributes) then
        v_share := 0;
    elsif v_experiment -> 'layer' <> 'null' then
        v_share := 100 * ((v_experiment #> '{layer,2}')::double precision - (v_experiment #> '{layer,1}')::double precision);
    end if;
    return query
    with expected as (
        select r.place, r.variation_key, v_share * (r.high - r.low) as percent from awf._phase_ranges(v_phase) as r
        union all
        select null, null, 100 - coalesce(sum(v_share * (r.high - r.low)), 0) from awf._phase_ranges(v_phase) as r
    ),

    seen as (
        select a.variation_key, count(*) as units
        from awf._assign_units(
            v_experiment, null, array(select 'unit-' || i.i from generate_series(1, p_units) as i (i)), p_attributes, '-infinity', true
        ) as a
        group by a.variation_key
    )

    select
        e.variation_key, round(e.percent::numeric, 3), coalesce(s.units, 0), round(100.0 * coalesce(s.units, 0) / p_units, 3)
    from expected as e
    left join seen as s on e.variation_key is not distinct from s.variation_key
    order by e.place;
end;
$$;
comment on function awf.simulate_assignment(text, integer, jsonb) is
'How p_units made-up units (''unit-1'', ''unit-2'', ...), all opted in, fall under the experiment as it is defined now, drafts too.
One row a variation and a last one, variation_key NULL, for those that are out. expected_percent: what the allocations, the coverage
and the slots in the layer come to, all out when p_attributes do not meet the condition; units and percent: what came out.
Errors: WF101 (no such experiment), WF001 (not 1 to 1,000,000 units, attributes that are no object).
Example: SELECT * FROM awf.simulate_assignment(''token-budget-test'', 20000);';
