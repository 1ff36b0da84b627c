-- Lists the templates of experiments.
-- Called by readers, admins and the CLI.
-- Costs one scan of a small table.
create or replace function awf.list_templates()
returns table (key text, description text, built_in boolean, definition jsonb, created_at timestamptz)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select t.key, t.description, t.built_in, t.definition, t.created_at
    from awf.experiment_templates as t
    order by not t.built_in, t.key;
end;
$$;
comment on function awf.list_templates() is
'All templates by key, those that come with the system first.
definition: {"allocations": [...], "guardrails": {...}, "variations": {key: params}} and other fields of an experiment.
Example: SELECT key, description FROM awf.list_templates();';
