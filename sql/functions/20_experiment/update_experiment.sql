-- Changes an experiment.
-- Called by admins.
-- Locks the configuration; writes its row, and what the change means for its timeline and slots.
create or replace function awf.update_experiment(p_key text, p_changes jsonb, p_revision bigint default null)
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
    v_conflicts constant text[] := awf._knob_conflicts(v_id);
    v_changes jsonb;
begin
    perform awf._require_safe_owner();
    perform awf._require_object(format('changes of experiment "%s"', p_key), p_changes);
    v_changes := awf._changed_fields(p_key, p_changes);
    if v_changes = '{}' then
        return awf._experiment_document(p_key);
    end if;
    perform awf._require_changeable(p_key, v_changes);
    v_changes := awf._settle_coverage(p_key, v_changes);
    perform awf._change_experiment(p_key, v_changes);
    if v_changes ? 'allocations' then
        perform awf._require_variations(p_key, 'WF102');
    end if;
    if v_changes ? 'guardrails' then
        perform awf._check_all_params(v_id);
    end if;
    if v_changes ?| array['coverage', 'stopAt', 'allowOverlap']
        and (select e.status = 'running' from awf.experiments as e where e.id = v_id) then
        perform awf._put_in_force(v_id, v_from, v_conflicts);
    end if;
    return awf._experiment_document(p_key);
end;
$$;
comment on function awf.update_experiment(text, jsonb, bigint) is
'Changes the fields named in p_changes and returns the experiment (see get_experiment); a field with the value that it has already
is left alone, so that a changed document from get_experiment() can be given back.
At any time: name, guardrails, coverage, stopAt, allowOverlap, owner, hypothesis, tags, conclusion. In a draft only, because a change
would move units or change who takes part: allocations, condition, hashSeed (later by open_phase), hashBasis, hashVersion, startAt,
layer, slots, optIn, sticky. The ramp changes with set_ramp.
p_revision: refuse unless the experiment is at this revision, as somebody else changed it meanwhile.
Errors: WF101 (no such experiment), WF114 (another revision), WF106 (fixed once started, or a coverage that goes by its ramp), WF102
(allocates a variation that does not exist), WF105, WF108, WF111, WF113, WF109 (a guardrail below a value in use), WF001 (unknown field
or unfit value), WF002 (stop before start, or in the past), WF117 (no such layer), WF122 (slots), WF115 (slots are taken in the
time up to the new stop), WF116 (another experiment sets one of its knobs then).
Example: SELECT awf.update_experiment(''token-budget-test'', ''{"coverage": 0.5}'');';
