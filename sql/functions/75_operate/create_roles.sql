-- Makes the four group roles and gives them their rights.
-- Called by an owner who may create roles (CREATEROLE); managed servers may use grant_usage() on roles of their own instead.
-- Creates roles, which belong to the whole cluster.
create or replace function awf.create_roles()
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_kind text;
begin
    foreach v_kind in array array['reader', 'analyst', 'writer', 'admin'] loop
        if to_regrole(format('awf_%s', v_kind)) is null then
            execute format('create role %I nologin', 'awf_' || v_kind);
        end if;
        perform awf.grant_usage('awf_' || v_kind, v_kind);
    end loop;
end;
$$;
comment on function awf.create_roles() is
'Makes the group roles awf_reader, awf_analyst, awf_writer and awf_admin where they are missing and gives them their rights.
The caller needs CREATEROLE for roles that are missing, and must be a member of the owner of schema awf.
Then: GRANT awf_writer TO my_service;';
