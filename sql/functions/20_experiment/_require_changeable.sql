-- Refuses to change what decides who gets which variation, once an experiment has started.
-- Called by update_experiment() for each changed field.
-- Costs one lookup.
create or replace function awf._require_changeable(p_key text, p_field text)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_field in ('allocations', 'hashBasis', 'hashSeed', 'hashVersion', 'startAt', 'condition')
        and (select e.status <> 'draft' from awf.experiments as e where e.key = p_key) then
        raise exception using
            errcode = 'WF106',
            message = format('experiment "%s" has started: its %s stays as it is', p_key, p_field),
            detail = 'Changing it would move units from one variation to another, or change who takes part.',
            hint = 'Create another experiment.';
    end if;
end;
$$;
comment on function awf._require_changeable(text, text) is 'Raises WF106 when the field is fixed because the experiment has started.';
