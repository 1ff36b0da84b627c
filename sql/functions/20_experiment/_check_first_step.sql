-- Refuses a plan for a running experiment that begins in the past or below the present coverage.
-- Called by set_ramp().
-- Costs nothing to speak of.
create or replace function awf._check_first_step(p_key text, p_step jsonb, p_coverage double precision)
returns void
language plpgsql
stable
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if awf._to_timestamp(p_step ->> 'at') <= awf._now() then
        raise exception using
            errcode = 'WF121',
            message = format('ramp of experiment "%s" begins in the past, at %s', p_key, p_step ->> 'at'),
            hint = 'Give the steps that are still to come.';
    elsif awf._to_double((p_step -> 'coverage')::numeric) < p_coverage then
        raise exception using
            errcode = 'WF121',
            message = format('ramp of experiment "%s" begins below its present coverage %s', p_key, p_coverage),
            detail = format('The first step is %s.', left(p_step::text, 100)),
            hint = 'Lower the coverage with awf.update_experiment() (awf-pg experiment update) first: that takes units out.';
    end if;
end;
$$;
comment on function awf._check_first_step(text, jsonb, double precision) is
'Raises WF121 when the first step of a plan does not fit an experiment that runs.';
