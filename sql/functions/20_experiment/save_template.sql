-- Saves the definition of an experiment as a template.
-- Called by admins.
-- Writes one row.
create or replace function awf.save_template(p_key text, p_experiment_key text, p_description text default null)
returns jsonb
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._find_experiment(p_experiment_key);
begin
    perform awf._require_safe_owner();
    perform awf._check_key('a template', p_key);
    insert into awf.experiment_templates (key, description, definition, created_at)
    select p_key, coalesce(p_description, e.name), awf._definition_of(v_id), awf._now()
    from awf.experiments as e
    where e.id = v_id
    on conflict (key) do nothing;
    if not found then
        raise exception using
            errcode = 'WF120',
            message = format('template "%s" exists already', p_key),
            hint = 'Choose another key, or delete it with awf.delete_template() (awf-pg template delete) if it is your own.';
    end if;
    return (
        select jsonb_build_object(
            'key', t.key, 'description', t.description, 'builtIn', t.built_in, 'definition', t.definition,
            'createdAt', t.created_at
        )
        from awf.experiment_templates as t
        where t.key = p_key
    );
end;
$$;
comment on function awf.save_template(text, text, text) is
'Saves what an experiment is made of, whatever its state, and returns the template: {key, description, builtIn, definition, createdAt}.
It has the split, guardrails, condition, coverage, steps on demand, hash basis, opt-in, stickiness, hypothesis, tags and the
variations with their params; not what belongs to one experiment alone: key, seed, times, layer, owner, conclusion.
p_description: what an experiment made from it tries; NULL takes the experiment''s name.
Errors: WF101 (no such experiment), WF112 (key), WF120 (exists).
Example: SELECT awf.save_template(''our-budget'', ''token-budget-test'', ''The budget test as we run it'');';
