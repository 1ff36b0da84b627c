-- Changes the params of a variation.
-- Called by admins.
-- Locks the experiment's row; writes one row.
create or replace function awf.update_variation(p_experiment_key text, p_variation_key text, p_params jsonb)
returns jsonb
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_experiment_id constant bigint := awf._find_experiment(p_experiment_key, true);
begin
    perform awf._require_safe_owner();
    perform awf._require_variation(p_experiment_key, p_variation_key);
    perform awf._check_params(
        p_experiment_key, p_variation_key, p_params,
        (select e.guardrails from awf.experiments as e where e.id = v_experiment_id)
    );
    update awf.experiment_variations as v set params = p_params
    where v.experiment_key = p_experiment_key and v.variation_key = p_variation_key;
    return awf._variation_document(p_experiment_key, p_variation_key);
end;
$$;
comment on function awf.update_variation(text, text, jsonb) is
'Replaces the params of a variation and returns it (see create_variation).
Errors: WF101, WF102 (no such experiment or variation), WF108, WF109, WF110 (params).
Example: SELECT awf.update_variation(''token-budget-test'', ''control'', ''{"maxOutputTokens": 1600}'');';
