-- Opens the next phase of an experiment: another split, seed or condition from now on.
-- Called by admins.
-- Rolls up what is waiting; locks rollups and configuration; writes the row, the timeline and the numbers of the variations.
create or replace function awf.open_phase(
    p_key text, p_changes jsonb default '{}', p_previous text default null, p_revision bigint default null
)
returns jsonb
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id bigint := awf._find_experiment(p_key);
    v_from timestamptz;
    v_conflicts text[];
    v_sticky boolean;
    v_previous text;
begin
    perform awf._require_safe_owner();
    perform awf._require_object(format('changes of experiment "%s"', p_key), p_changes);
    perform awf._require_in_force(p_key);
    -- Before the configuration is locked, so that nobody who wants to stop an experiment has to wait for it. Sticky units are
    -- known by their exposures, so these must be complete.
    perform awf._complete_rollups();
    v_id := awf._lock_experiment(p_key, p_revision);
    perform awf._require_in_force(p_key);
    v_from := awf._change_moment(v_id);
    v_conflicts := awf._knob_conflicts(v_id);
    v_sticky := (select e.sticky from awf.experiments as e where e.id = v_id);
    v_previous := coalesce(p_previous, case when v_sticky then 'keep' else 'reassign' end);
    perform awf._check_phase(p_key, p_changes, v_previous, v_sticky);
    perform awf._change_experiment(p_key, awf._settle_coverage(p_key, p_changes));
    perform awf._require_variations(p_key, 'WF102');
    perform awf._check_all_params(v_id);
    update awf.experiments as e set
        phase = e.phase + 1,
        bucket_version = e.bucket_version + case v_previous when 'keep' then 0 else 1 end,
        min_bucket_version = case v_previous when 'exclude' then e.bucket_version + 1 else e.min_bucket_version end
    where e.id = v_id;
    perform awf._number_variations(v_id);
    perform awf._put_in_force(v_id, v_from, v_conflicts);
    return awf._experiment_document(p_key);
end;
$$;
comment on function awf.open_phase(text, jsonb, text, bigint) is
'Opens the next phase of a running or scheduled experiment and returns the experiment (see get_experiment). It starts now; of a
scheduled experiment, with its start. The phase before ends there.
p_changes: what it changes, any of {"allocations", "coverage", "condition", "hashSeed"}; the rest stays.
p_previous: what becomes of units that an earlier phase had. reassign: they are assigned anew; the only choice, and the default, unless
the experiment is sticky. keep: they keep their variation; the default of a sticky experiment. exclude: they are out.
Every phase numbers its variations anew, so that each event tells its phase. Waiting events are rolled up first.
p_revision: refuse unless the experiment is at this revision.
Errors: WF101 (no such experiment), WF114 (another revision), WF106 (it does not run, or its coverage goes by its ramp), WF102
(allocates a variation that does not exist), WF105 (allocations), WF113 (condition), WF001 (another value), WF108, WF109, WF110 (params
that do not fit the bounds of today), WF116 (another experiment sets one of the knobs that the split brings in).
Example: SELECT awf.open_phase(''token-budget-test'',
  ''{"allocations": [{"variation": "control", "percent": 20}, {"variation": "high-budget", "percent": 80}]}'');';
