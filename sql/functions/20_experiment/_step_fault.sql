-- Says what is wrong with one step of a plan.
-- Called by _check_ramp() for each step.
-- Costs nothing to speak of.
create or replace function awf._step_fault(p_step jsonb, p_before jsonb, p_first jsonb)
returns text
language plpgsql
stable
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_step) <> 'object' then
        return 'that is not an object';
    elsif p_step - 'coverage' - 'at' <> '{}'::jsonb then
        return 'with an unknown field';
    elsif jsonb_typeof(p_step -> 'coverage') is distinct from 'number' then
        return 'without a coverage';
    elsif (p_step -> 'coverage')::numeric not between 0 and 1 then
        return 'whose coverage is not within 0 and 1';
    elsif p_step ->> 'at' is not null and awf._to_timestamp(p_step ->> 'at') is null then
        return 'whose time is none';
    elsif (p_step ->> 'at' is null) <> (p_first ->> 'at' is null) then
        return 'that mixes steps at a time and steps on demand';
    elsif awf._to_double((p_step -> 'coverage')::numeric) <= awf._to_double((p_before -> 'coverage')::numeric) then
        return 'that does not rise above the step before';
    elsif awf._to_timestamp(p_step ->> 'at') <= awf._to_timestamp(p_before ->> 'at') then
        return 'that is not later than the step before';
    end if;
    return null;
end;
$$;
comment on function awf._step_fault(jsonb, jsonb, jsonb) is
'The fault of a step in words, given the step before it and the first one; NULL when it has none.';
