-- Refuses to start what runs already, splits nothing or has its end behind it.
-- Called by start_experiment().
-- Costs one lookup.
create or replace function awf._require_startable(p_id bigint)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_fault record;
begin
    select
        e.key,
        case
            when e.status = 'running' and e.stop_at <= awf._now() then 'has ended'
            when e.status = 'running' then 'is running already'
            when e.allocations = '[]'::jsonb then 'has no allocations'
            when e.status = 'draft' and e.stop_at <= awf._now() then 'has its stop_at in the past'
        end as fault,
        case
            when e.status = 'running' and e.stop_at <= awf._now() then 'Give it a later stopAt, or null: then it runs on.'
            when e.status = 'running' then 'There is nothing to do.'
            else 'Change it with awf.update_experiment() (awf-pg experiment update) first.'
        end as hint
    into v_fault
    from awf.experiments as e
    where e.id = p_id;
    if v_fault.fault is not null then
        raise exception using
            errcode = 'WF106',
            message = format('experiment "%s" %s', v_fault.key, v_fault.fault),
            hint = v_fault.hint;
    end if;
end;
$$;
comment on function awf._require_startable(bigint) is 'Raises WF106 when the experiment cannot start.';
