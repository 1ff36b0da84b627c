-- Admits a role: records it and grants what its kind may do, on everything there is and will be.
-- Called by the owner (or create_roles()).
-- Locks the catalogue rows of the objects it grants on.
create or replace function awf.grant_usage(p_role text, p_kind text)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    if p_kind is null or p_kind not in ('reader', 'analyst', 'writer', 'admin') then
        raise exception using
            errcode = 'WF403',
            message = format('there is no kind of role "%s"', coalesce(p_kind, 'NULL')),
            hint = 'Kinds: reader (reports), analyst (also raw rows), writer (ingest), admin (everything).';
    end if;
    if not exists (select from pg_catalog.pg_roles as r where r.rolname = p_role) then
        raise exception using
            errcode = 'WF404',
            message = format('role "%s" does not exist', coalesce(p_role, 'NULL')),
            hint = format('CREATE ROLE %I; then try again.', coalesce(p_role, 'name'));
    end if;
    insert into awf.role_grants (role_name, kind, granted_by)
    values (p_role, p_kind, awf._caller())
    on conflict (role_name, kind) do nothing;
    perform awf._apply_grants();
end;
$$;
comment on function awf.grant_usage(text, text) is
'Gives a role the rights of a kind: reader, analyst, writer or admin. Only the owner of schema awf (and who may act as it) can.
The role is remembered: objects made later get the same grants. revoke_usage() takes it back.
Errors: WF403 (no such kind), WF404 (no such role).
Example: SELECT awf.grant_usage(''grafana'', ''reader'');';
