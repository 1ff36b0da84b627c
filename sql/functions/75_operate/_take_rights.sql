-- Takes from everybody but the owner what he may do with a table, and with single columns of it.
-- Called by _close_detached() and _attach_day(), where a table leaves turn_events and where it comes back.
-- Costs a look at the table's rights.
create or replace function awf._take_rights(p_table regclass)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_grantee oid;
begin
    for v_grantee in
        select x.grantee
        from pg_catalog.pg_class as c
        cross join lateral aclexplode(c.relacl) as x
        where c.oid = p_table and x.grantee <> c.relowner
        union
        select x.grantee
        from pg_catalog.pg_class as c
        inner join pg_catalog.pg_attribute as a on c.oid = a.attrelid
        cross join lateral aclexplode(a.attacl) as x
        where c.oid = p_table and x.grantee <> c.relowner
    loop
        execute format('revoke all on %s from %s', p_table, case v_grantee when 0 then 'public' else v_grantee::regrole::text end);
    end loop;
end;
$$;
comment on function awf._take_rights(regclass) is 'Revokes every right on the table and its columns that anybody but its owner has.';
