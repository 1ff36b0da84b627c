-- The coverage that an experiment has at a moment, by its plan.
-- Called wherever the coverage of an experiment is written or shown.
-- Costs a walk over the plan.
create or replace function awf._coverage_at(p_coverage double precision, p_ramp jsonb, p_at timestamptz)
returns double precision
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_coverage double precision;
begin
    select (s.step -> 'coverage')::double precision into v_coverage
    from jsonb_array_elements(p_ramp) as s (step)
    where (s.step ->> 'at')::timestamptz <= p_at
    order by (s.step ->> 'at')::timestamptz desc
    limit 1;
    -- Until a timed plan begins nobody is in, unless the coverage was set to less than the plan's first step.
    if v_coverage is null and p_ramp #>> '{0,at}' is not null and p_coverage > (p_ramp #> '{0,coverage}')::double precision then
        return 0;
    end if;
    return coalesce(v_coverage, p_coverage);
end;
$$;
comment on function awf._coverage_at(double precision, jsonb, timestamptz) is
'Coverage at a moment: that of the last step of the ramp that has come, else the one that was set.';
