-- Refuses to migrate as anybody but the owner of the functions: the tables would belong to somebody else.
-- Called by migrate(), grant_usage() and create_roles().
-- Costs one catalogue lookup.
create or replace function awf._require_owner()
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_owner constant name := (
        select pg_get_userbyid(p.proowner)
        from pg_catalog.pg_proc as p
        where p.oid = 'awf._require_owner()'::regprocedure
    );
begin
    if current_user <> v_owner then
        raise exception using
            errcode = 'WF402',
            message = format('role "%s" does not own schema awf''s functions', current_user),
            detail = format('They belong to "%s".', v_owner),
            hint = format('SET ROLE %I; then try again.', v_owner);
    end if;
end;
$$;
comment on function awf._require_owner() is 'Raises WF402 unless current_user owns the functions.';
