-- Gives every admitted role what the lists of rights say, and names the readers of each table in its policy.
-- Called by migrate(), grant_usage() and revoke_usage().
-- Locks the tables' policies (ACCESS EXCLUSIVE) only where the list of readers changed.
create or replace function awf._apply_grants()
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_grant record;
begin
    -- A role that was dropped since takes its row with it.
    delete from awf.role_grants as g where not exists (select from pg_catalog.pg_roles as r where r.rolname = g.role_name);
    for v_grant in
        select format('grant usage on schema awf to %I', g.role_name) as statement
        from awf.role_grants as g
        union all
        select format('grant %s on awf.%I to %I', t.privilege, t.relation, g.role_name)
        from awf.role_grants as g
        inner join awf._table_rights() as t on g.kind = t.kind
        union all
        select format('grant execute on function %s to %I', p.oid::regprocedure, g.role_name)
        from awf.role_grants as g
        inner join awf._function_rights() as f on g.kind = f.kind
        inner join pg_catalog.pg_proc as p on f.function_name = p.proname and p.pronamespace = 'awf'::regnamespace
    loop
        -- Made above by format() with %I, and from constants.
        -- @plpgsql_check_options: security_warnings = off
        execute v_grant.statement;
    end loop;
    perform awf._apply_policies();
    perform awf._protect_partition(i.inhrelid::regclass)
    from pg_catalog.pg_inherits as i
    where i.inhparent = 'awf.turn_events'::regclass;
end;
$$;
comment on function awf._apply_grants() is 'Grants every admitted role the rights of its kinds.';
