-- Adds a variation to an experiment.
-- Called by admins.
-- Locks the configuration; writes three rows.
create or replace function awf.create_variation(
    p_experiment_key text, p_variation_key text, p_params jsonb default '{}', p_revision bigint default null
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
    v_id integer;
begin
    perform awf._require_safe_owner();
    perform awf._check_key('a variation', p_variation_key);
    perform awf._check_params(
        p_experiment_key, p_variation_key, p_params,
        (select e.guardrails from awf.experiments as e where e.id = v_experiment_id)
    );
    -- A variation that was deleted and is made again keeps its number.
    insert into awf.variation_ids (experiment_id, experiment_key, phase, variation_key)
    select e.id, e.key, e.phase, p_variation_key
    from awf.experiments as e
    where e.id = v_experiment_id
    on conflict (experiment_id, phase, variation_key) do update set experiment_key = excluded.experiment_key
    returning id into v_id;
    insert into awf.experiment_variations (experiment_key, variation_key, params, id)
    values (p_experiment_key, p_variation_key, p_params, v_id)
    on conflict (experiment_key, variation_key) do nothing;
    if not found then
        raise exception using
            errcode = 'WF104',
            message = format('variation "%s" of experiment "%s" exists already', p_variation_key, p_experiment_key),
            hint = 'Change it with awf.update_variation() (awf-pg variation update).';
    end if;
    return awf._variation_document(p_experiment_key, p_variation_key);
end;
$$;
comment on function awf.create_variation(text, text, jsonb, bigint) is
'Adds a variation and returns it: {experimentKey, variationKey, params, createdAt, updatedAt}. p_params: {knob: value}.
p_revision: refuse unless the experiment is at this revision.
Errors: WF101 (no such experiment), WF114 (another revision), WF112 (key), WF104 (exists), WF108 (unknown knob), WF109 (outside the
knob''s range, a guardrail or a budget), WF110 (wrong type).
Example: SELECT awf.create_variation(''token-budget-test'', ''control'', ''{"maxOutputTokens": 1500}'');';
