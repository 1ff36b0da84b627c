-- What a new coverage means for the plan of an experiment: a plan at times that is over goes away, one that goes on refuses it.
-- Called by update_experiment() and open_phase().
-- Costs one lookup.
create or replace function awf._settle_coverage(p_key text, p_changes jsonb)
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_ramp jsonb;
begin
    select e.ramp into v_ramp
    from awf.experiments as e
    where e.key = p_key and e.status <> 'draft' and e.ramp #>> '{0,at}' is not null;
    if v_ramp is null or not p_changes ? 'coverage' then
        return p_changes;
    elsif (v_ramp -> -1 ->> 'at')::timestamptz > awf._now() then
        raise exception using
            errcode = 'WF106',
            message = format('the coverage of experiment "%s" goes by its ramp', p_key),
            detail = format('The last step comes at %s.', v_ramp -> -1 ->> 'at'),
            hint = format('Remove the ramp first: awf.set_ramp(%L, ''[]'') (awf-pg experiment ramp).', p_key);
    end if;
    return p_changes || '{"ramp": []}';
end;
$$;
comment on function awf._settle_coverage(text, jsonb) is
'The changes, with "ramp": [] where a new coverage follows a plan that is over; raises WF106 while the plan has steps to come.';
