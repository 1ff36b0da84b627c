-- Takes the next step of a plan on demand.
-- Called by admins.
-- Locks the configuration; writes the row and the timeline.
create or replace function awf.advance_ramp(p_key text)
returns jsonb
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._lock_experiment(p_key);
    v_from constant timestamptz := awf._change_moment(v_id);
    v_ramp constant jsonb := (select e.ramp from awf.experiments as e where e.id = v_id);
    v_next double precision;
begin
    perform awf._require_safe_owner();
    perform awf._require_in_force(p_key);
    select min((s.step -> 'coverage')::double precision) into v_next
    from jsonb_array_elements(v_ramp) as s (step)
    inner join awf.experiments as e on e.id = v_id and (s.step -> 'coverage')::double precision > e.coverage
    where s.step ->> 'at' is null;
    if v_next is null then
        raise exception using
            errcode = 'WF106',
            message = format(
                'experiment "%s" %s', p_key, case
                    when v_ramp = '[]' then 'has no ramp'
                    when v_ramp #>> '{0,at}' is not null then 'has a ramp that goes by its times'
                    else 'is at the last step of its ramp'
                end
            ),
            hint = 'awf.set_ramp() (awf-pg experiment ramp) plans the steps.';
    end if;
    update awf.experiments as e set coverage = v_next where e.id = v_id;
    perform awf._put_in_force(v_id, v_from, awf._knob_conflicts(v_id));
    return awf._experiment_document(p_key);
end;
$$;
comment on function awf.advance_ramp(text) is
'Raises the coverage to the next step of the ramp above the present one, from now on, and returns the experiment (see get_experiment).
Errors: WF101 (no such experiment), WF106 (it does not run, has no ramp on demand, or is at the last step).
Example: SELECT awf.advance_ramp(''token-budget-test'') -> ''coverage'';';
