-- Finds the definition of a template, or says which there are.
-- Called by create_from_template().
-- Costs one lookup.
create or replace function awf._template_definition(p_key text)
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_definition constant jsonb := (select t.definition from awf.experiment_templates as t where t.key = p_key);
begin
    if v_definition is null then
        raise exception using
            errcode = 'WF119',
            message = format('there is no template "%s"', coalesce(left(p_key, 100), 'NULL')),
            hint = 'Templates: ' || (
                select coalesce(string_agg(t.key, ', ' order by t.key), 'none yet') from awf.experiment_templates as t
            ) || '.';
    end if;
    return v_definition;
end;
$$;
comment on function awf._template_definition(text) is 'Definition of the template; raises WF119 when there is none.';
