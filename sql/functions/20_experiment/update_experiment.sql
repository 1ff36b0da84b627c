-- Changes an experiment.
-- Called by admins.
-- Locks and writes one row.
create or replace function awf.update_experiment(p_key text, p_changes jsonb)
returns jsonb
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._find_experiment(p_key, true);
begin
    perform awf._require_safe_owner();
    if jsonb_typeof(p_changes) is distinct from 'object' then
        raise exception using
            errcode = 'WF001',
            message = format('changes of experiment "%s" are %s, not an object', p_key, coalesce(left(p_changes::text, 200), 'NULL')),
            hint = 'Give an object like {"name": "New name", "coverage": 0.5}.';
    end if;
    perform awf._require_changeable(p_key, c.key)
    from jsonb_object_keys(p_changes) as c (key);
    perform awf._change_experiment(p_key, p_changes);
    if p_changes ? 'allocations' then
        perform awf._require_variations(p_key, 'WF102');
    end if;
    if p_changes ? 'guardrails' then
        perform awf._check_params(p_key, v.variation_key, v.params, e.guardrails)
        from awf.experiments as e
        inner join awf.experiment_variations as v on e.key = v.experiment_key
        where e.id = v_id;
    end if;
    return awf._experiment_document(p_key);
end;
$$;
comment on function awf.update_experiment(text, jsonb) is
'Changes the fields named in p_changes and returns the experiment (see get_experiment).
Fields: name, allocations, guardrails, condition, hashBasis, hashSeed, hashVersion, coverage, startAt, stopAt. Once an experiment
has started, allocations, condition, hashBasis, hashSeed, hashVersion and startAt stay as they are: changing them would move units
or change who takes part.
Errors: WF101 (no such experiment), WF106 (fixed once started), WF102 (allocates a variation that does not exist), WF105, WF108,
WF111, WF113, WF109 (a guardrail below a value in use), WF001 (unknown field or unfit value), WF002 (stop before start).
Example: SELECT awf.update_experiment(''token-budget-test'', ''{"coverage": 0.5}'');';
