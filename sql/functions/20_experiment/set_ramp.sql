-- Plans the coverage of an experiment: rising steps, at times or on demand.
-- Called by admins.
-- Locks the configuration; writes its row and its timeline.
create or replace function awf.set_ramp(p_key text, p_steps jsonb, p_revision bigint default null)
returns jsonb
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._lock_experiment(p_key, p_revision);
    v_from constant timestamptz := awf._change_moment(v_id);
    v_runs constant boolean := (select e.status = 'running' from awf.experiments as e where e.id = v_id);
    v_coverage double precision;
begin
    perform awf._require_safe_owner();
    perform awf._check_ramp(p_key, p_steps);
    select e.coverage into v_coverage from awf.experiments as e where e.id = v_id;
    if v_runs and awf._has_begun(v_id, v_from) then
        v_coverage := awf._present_coverage(v_id);
        perform awf._check_first_step(p_key, p_steps -> 0, v_coverage);
    elsif v_runs then
        perform awf._check_first_step(p_key, p_steps -> 0, 0);
        v_coverage := awf._first_coverage(v_coverage, awf._ramp_document(p_steps));
    end if;
    update awf.experiments as e set ramp = awf._ramp_document(p_steps), coverage = v_coverage where e.id = v_id;
    if v_runs then
        perform awf._put_in_force(v_id, v_from, awf._knob_conflicts(v_id));
    end if;
    return awf._experiment_document(p_key);
end;
$$;
comment on function awf.set_ramp(text, jsonb, bigint) is
'Plans the coverage and returns the experiment (see get_experiment).
p_steps: [{"coverage": 0..1, "at": time or null}, ...]. With times each step comes at its time; with null advance_ramp() takes the
next one. Coverages rise from step to step and from the present one, times too. [] removes the plan: the coverage stays where it is.
A plan at times keeps everybody out until its first step, a plan on demand begins with its first step; a smaller coverage that was set
before counts. While steps at times are to come, the coverage cannot be changed otherwise; a stop ends such a plan.
p_revision: refuse unless the experiment is at this revision.
Errors: WF101 (no such experiment), WF114 (another revision), WF121 (steps that do not rise, lie in the past of a running experiment,
or mix times and null).
Example: SELECT awf.set_ramp(''token-budget-test'', ''[{"coverage": 0.01, "at": null}, {"coverage": 0.25, "at": null}]'');';
