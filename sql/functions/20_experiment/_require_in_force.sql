-- Refuses what only a running or scheduled experiment can do.
-- Called by open_phase() and advance_ramp().
-- Costs one lookup.
create or replace function awf._require_in_force(p_key text)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_state constant text := (
        select awf._experiment_state(e.status, e.start_at, e.stop_at, awf._now()) from awf.experiments as e where e.key = p_key
    );
begin
    if v_state not in ('running', 'scheduled') then
        raise exception using
            errcode = 'WF106',
            message = format('experiment "%s" is not running', p_key),
            detail = format('Its state is %s.', v_state),
            hint = case v_state
                when 'draft' then 'Change the draft itself with awf.update_experiment() (awf-pg experiment update).'
                when 'ended' then 'Give it a later stopAt with awf.update_experiment() (awf-pg experiment update) first.'
                else 'Start it first: awf.start_experiment() (awf-pg experiment start).'
            end;
    end if;
end;
$$;
comment on function awf._require_in_force(text) is 'Raises WF106 unless the experiment is running or scheduled.';
