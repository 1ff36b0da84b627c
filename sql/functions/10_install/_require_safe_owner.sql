-- Refuses to run a SECURITY DEFINER function that belongs to a superuser (after a restore by one, say).
-- Called first thing by every definer.
-- Costs a look at a right.
create or replace function awf._require_safe_owner()
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- A superuser may read pg_authid, others hardly ever: asked first, because it is quick and pg_roles is not.
    if has_table_privilege('pg_catalog.pg_authid'::regclass, 'select')
        and (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = current_user) then
        raise exception using
            errcode = 'WF401',
            message = format('the functions of schema awf belong to the superuser "%s"', current_user),
            detail = 'They would run with a superuser''s rights for every caller.',
            hint = 'Create an owner without superuser rights, then: ALTER FUNCTION ... OWNER TO it, or drop and '
                || 'install again after SET ROLE to it. "awf-pg install" does this by itself.';
    end if;
end;
$$;
comment on function awf._require_safe_owner() is 'Raises WF401 when current_user, the owner inside a definer, is a superuser.';
