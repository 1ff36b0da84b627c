-- Takes the rights of a kind back from a role.
-- Called by the owner.
-- Locks the catalogue rows of the objects it revokes on.
create or replace function awf.revoke_usage(p_role text, p_kind text)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    delete from awf.role_grants as g where g.role_name = p_role and g.kind = p_kind;
    if not found then
        raise exception using
            errcode = 'WF404',
            message = format('role "%s" does not have the rights of kind "%s"', coalesce(p_role, 'NULL'), coalesce(p_kind, 'NULL')),
            hint = 'SELECT * FROM awf.role_grants; shows who has which.';
    end if;
    execute format('revoke all on all tables in schema awf from %I', p_role);
    execute format('revoke all on all sequences in schema awf from %I', p_role);
    execute format('revoke all on all functions in schema awf from %I', p_role);
    execute format('revoke all on schema awf from %I', p_role);
    perform awf._apply_grants();
end;
$$;
comment on function awf.revoke_usage(text, text) is
'Takes the rights of a kind (reader, analyst, writer, admin) back from a role. Only the owner of schema awf can.
Errors: WF404 (the role does not have them).
Example: SELECT awf.revoke_usage(''grafana'', ''reader'');';
