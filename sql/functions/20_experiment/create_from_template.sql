-- Creates an experiment with its variations from a template, as a draft.
-- Called by admins.
-- Locks the configuration; writes a few rows.
create or replace function awf.create_from_template(
    p_template text, p_key text, p_name text default null, p_changes jsonb default '{}'
)
returns jsonb
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_definition constant jsonb := awf._template_definition(p_template);
    v_variations jsonb;
    v_fields jsonb;
begin
    perform awf._require_safe_owner();
    perform awf._require_object('changes of a template', p_changes);
    perform awf._require_object('variations', coalesce(p_changes -> 'variations', '{}'));
    v_variations := coalesce(v_definition -> 'variations', '{}') || coalesce(p_changes -> 'variations', '{}');
    v_fields := jsonb_build_object('hashBasis', awf._default_basis(p_changes ->> 'layer')) || v_definition || p_changes;
    v_fields := v_fields - 'variations';
    perform awf.create_experiment(p_key, p_name);
    perform awf._change_experiment(p_key, case when p_name is null then v_fields else v_fields - 'name' end);
    perform awf.create_variation(p_key, v.key, v.value)
    from jsonb_each(v_variations) as v
    left join jsonb_array_elements(v_fields -> 'allocations') with ordinality as a (entry, place)
        on a.entry ->> 'variation' = v.key
    order by a.place, v.key collate "C";
    perform awf._require_variations(p_key, 'WF102');
    return awf._experiment_document(p_key);
end;
$$;
comment on function awf.create_from_template(text, text, text, jsonb) is
'Creates a draft from a template, its variations included, and returns it (see get_experiment).
p_name: title for people; NULL takes the key. p_changes: fields that differ from the template, as in update_experiment, the ramp
among them; and "variations": {key: params}, each of which replaces the template''s variation of that key or is one more.
Errors: WF119 (no such template), WF112 (key), WF103 (exists), WF102 (allocates a variation that does not exist), and those of
create_experiment and create_variation for what does not fit.
Example: SELECT awf.create_from_template(''token-budget'', ''cheaper'', ''Cheaper turns'', ''{"owner": "ana"}'');';
