-- Refuses a plan of the coverage that does not rise step by step.
-- Called whenever a plan is saved.
-- Costs a walk over the plan.
create or replace function awf._check_ramp(p_key text, p_steps jsonb)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_fault text;
begin
    if jsonb_typeof(p_steps) is distinct from 'array' then
        v_fault := format('is %s, not a list', coalesce(left(p_steps::text, 200), 'NULL'));
    elsif jsonb_array_length(p_steps) > 100 then
        v_fault := format('has %s steps, more than 100', jsonb_array_length(p_steps));
    else
        select format('has a step %s %s', left(s.step::text, 100), s.fault) into v_fault
        from (
            select
                r.step, r.place,
                awf._step_fault(r.step, lag(r.step) over (order by r.place), p_steps -> 0) as fault
            from jsonb_array_elements(p_steps) with ordinality as r (step, place)
        ) as s
        where s.fault is not null
        order by s.place
        limit 1;
    end if;
    if v_fault is not null then
        raise exception using
            errcode = 'WF121',
            message = format('ramp of experiment "%s" %s', p_key, v_fault),
            hint = 'Give a list like [{"coverage": 0.01, "at": "2025-02-01T00:00:00Z"}, {"coverage": 1, "at": '
                || '"2025-02-02T00:00:00Z"}], or every "at" null for steps on demand; [] removes the plan.';
    end if;
end;
$$;
comment on function awf._check_ramp(text, jsonb) is
'Raises WF121 unless the value is a list of steps whose coverages and times rise, all timed or all on demand.';
