-- Refuses to change what decides who gets which variation, once an experiment has started.
-- Called by update_experiment().
-- Costs one lookup.
create or replace function awf._require_changeable(p_key text, p_changes jsonb)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_fixed constant text[] := array[
        'allocations', 'condition', 'hashSeed', 'hashBasis', 'hashVersion', 'startAt', 'layer', 'slots', 'optIn', 'sticky'
    ];
    v_field constant text := (
        select f.field
        from unnest(v_fixed) with ordinality as f (field, place)
        where p_changes ? f.field
        order by f.place
        limit 1
    );
begin
    if p_changes ? 'ramp' then
        raise exception using
            errcode = 'WF001',
            message = format('experiment "%s": ramp cannot be changed here', p_key),
            hint = 'Change it with awf.set_ramp() (awf-pg experiment ramp).';
    elsif v_field is not null and (select e.status <> 'draft' from awf.experiments as e where e.key = p_key) then
        raise exception using
            errcode = 'WF106',
            message = format('experiment "%s" has started: its %s stays as it is', p_key, v_field),
            detail = 'Changing it would move units from one variation to another, or change who takes part.',
            hint = case
                when v_field in ('allocations', 'condition', 'hashSeed')
                    then 'Open another phase with awf.open_phase() (awf-pg experiment phase), or create another experiment.'
                else 'Create another experiment.'
            end;
    end if;
end;
$$;
comment on function awf._require_changeable(text, jsonb) is
'Raises WF106 when a field is fixed because the experiment has started, and WF001 for the ramp.';
