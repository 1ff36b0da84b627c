-- The coverage with which an experiment starts, given its plan.
-- Called by start_experiment() and set_ramp().
-- Costs nothing.
create or replace function awf._first_coverage(p_coverage double precision, p_ramp jsonb)
returns double precision
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return case
        when jsonb_typeof(p_ramp #> '{0,at}') = 'null' then least(p_coverage, (p_ramp #> '{0,coverage}')::double precision)
        else p_coverage
    end;
end;
$$;
comment on function awf._first_coverage(double precision, jsonb) is
'The coverage that was set, or that of the first step where a plan on demand begins with less.';
