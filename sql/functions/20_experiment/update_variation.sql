-- Changes the params of a variation.
-- Called by admins.
-- Locks the configuration; writes two rows.
create or replace function awf.update_variation(
    p_experiment_key text, p_variation_key text, p_params jsonb, p_revision bigint default null
)
returns jsonb
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_experiment_id constant bigint := awf._lock_experiment(p_experiment_key, p_revision);
    v_conflicts constant text[] := awf._knob_conflicts(v_experiment_id);
begin
    perform awf._require_safe_owner();
    perform awf._require_variation(p_experiment_key, p_variation_key);
    perform awf._check_params(
        p_experiment_key, p_variation_key, p_params,
        (select e.guardrails from awf.experiments as e where e.id = v_experiment_id)
    );
    update awf.experiment_variations as v set params = p_params
    where v.experiment_key = p_experiment_key and v.variation_key = p_variation_key;
    perform awf._refuse_conflicts(v_experiment_id, v_conflicts);
    return awf._variation_document(p_experiment_key, p_variation_key);
end;
$$;
comment on function awf.update_variation(text, text, jsonb, bigint) is
'Replaces the params of a variation and returns it (see create_variation).
p_revision: refuse unless the experiment is at this revision.
Errors: WF101, WF102 (no such experiment or variation), WF114 (another revision), WF108, WF109, WF110 (params), WF116 (a new knob that
another running experiment sets).
Example: SELECT awf.update_variation(''token-budget-test'', ''control'', ''{"maxOutputTokens": 1600}'');';
