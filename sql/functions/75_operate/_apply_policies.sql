-- Makes the policy "readers" of each table name exactly the roles that may read it.
-- Called by _apply_grants().
-- Locks a table (ACCESS EXCLUSIVE, briefly) only where the list of its readers changed.
create or replace function awf._apply_policies()
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_policy record;
begin
    for v_policy in
        select p.tablename, array_agg(distinct r.role_name order by r.role_name) as readers
        from pg_catalog.pg_policies as p
        cross join lateral (
            select current_user as role_name
            union all
            select g.role_name
            from awf.role_grants as g
            inner join awf._table_rights() as t on g.kind = t.kind
            where t.relation = p.tablename and t.privilege like 'select%'
        ) as r
        where p.schemaname = 'awf' and p.policyname = 'readers'
        group by p.tablename, p.roles
        having array_agg(distinct r.role_name order by r.role_name) <> array(select unnest(p.roles) as u order by u)
    loop
        execute format(
            'alter policy readers on awf.%I to %s',
            v_policy.tablename,
            (select string_agg(quote_ident(n.role_name), ', ') from unnest(v_policy.readers) as n (role_name))
        );
    end loop;
end;
$$;
comment on function awf._apply_policies() is 'Brings the policy "readers" of every table in line with the admitted roles.';
