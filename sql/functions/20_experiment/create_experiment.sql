-- Creates an experiment as a draft.
-- Called by admins.
-- Locks the configuration; writes one row.
create or replace function awf.create_experiment(
    p_key text,
    p_name text,
    p_allocations jsonb default '[]',
    p_hash_basis text default null,
    p_guardrails jsonb default '{}',
    p_start_at timestamptz default null,
    p_stop_at timestamptz default null,
    p_settings jsonb default '{}'
)
returns jsonb
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    perform awf._lock_configuration();
    perform awf._check_key('an experiment', p_key);
    perform awf._require_setting_names(p_settings);
    insert into awf.experiments (key, name, hash_basis, hash_seed, bucket_version)
    values (p_key, p_key, awf._default_basis(p_settings ->> 'layer'), p_key, awf._next_bucket_version(p_key))
    on conflict (key) do nothing;
    if not found then
        raise exception using
            errcode = 'WF103',
            message = format('experiment "%s" exists already', p_key),
            hint = 'Choose another key, or change it with awf.update_experiment() (awf-pg experiment update).';
    end if;
    perform awf._change_experiment(p_key, p_settings || (
        select jsonb_object_agg(a.key, a.value)
        from jsonb_each(jsonb_build_object(
            'name', p_name, 'allocations', coalesce(p_allocations, '[]'), 'hashBasis', p_hash_basis,
            'guardrails', coalesce(p_guardrails, '{}'), 'startAt', p_start_at, 'stopAt', p_stop_at
        )) as a
        where a.value <> 'null'
    ));
    return awf._experiment_document(p_key);
end;
$$;
comment on function awf.create_experiment(text, text, jsonb, text, jsonb, timestamptz, timestamptz, jsonb) is
'Creates an experiment with status draft and returns it (see get_experiment).
p_name: title for people, 1 to 200 characters; NULL takes the key.
p_allocations: [{"variation": key, "percent": number}, ...], percents summing to exactly 100, or [] to set them later.
p_hash_basis: session or player; NULL takes that of the layer, else the setting hash_basis.
p_guardrails: {knob: maximum} or {knob: {"min": number, "max": number}}.
p_start_at, p_stop_at: when it is in force once started; NULL means: from the start on, without an end.
p_settings: {"coverage": 0..1, "hashSeed": text, "hashVersion": 1 or 2, "condition": {...} (which turns take part, see matches),
"layer": key and "slots": [low, high] of its 1,000, "optIn", "sticky", "allowOverlap": true or false, "ramp": [...] (see set_ramp),
"owner", "hypothesis": text, "tags": [text, ...]}, all of them optional.
Errors: WF112 (key), WF103 (exists), WF105 (allocations), WF108, WF111 (guardrails), WF113 (condition), WF117 (no such layer), WF122
(slots), WF121 (ramp), WF001 (another value), WF002 (stop before start).
Example: SELECT awf.create_experiment(''token-budget-test'', ''Token Budget Experiment'',
  ''[{"variation": "control", "percent": 50}, {"variation": "high-budget", "percent": 50}]'');';
