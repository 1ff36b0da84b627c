-- The coverage of an experiment today: where its plan has come to, or what was set.
-- Called by the functions that show experiments.
-- Costs one lookup and a walk over its plan.
create or replace function awf._present_coverage(p_id bigint)
returns double precision
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select case e.status
            when 'running'
                then awf._coverage_at(e.coverage, e.ramp, least(greatest(awf._now(), e.start_at), e.stop_at))
            else e.coverage
        end
        from awf.experiments as e
        where e.id = p_id
    );
end;
$$;
comment on function awf._present_coverage(bigint) is
'Coverage in force; before the start the one that it starts with, after the end the last one.';
