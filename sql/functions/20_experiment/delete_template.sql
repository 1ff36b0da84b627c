-- Deletes a template of ones own.
-- Called by admins.
-- Deletes one row.
create or replace function awf.delete_template(p_key text)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    perform awf._template_definition(p_key);
    delete from awf.experiment_templates as t where t.key = p_key and not t.built_in;
    if not found then
        raise exception using
            errcode = 'WF120',
            message = format('template "%s" is built in', p_key),
            hint = 'It comes with the system and stays.';
    end if;
end;
$$;
comment on function awf.delete_template(text) is
'Deletes a template that somebody saved. Experiments made from it stay.
Errors: WF119 (no such template), WF120 (it is built in).
Example: SELECT awf.delete_template(''our-budget'');';
