-- Who is calling, seen from inside a SECURITY DEFINER function, where current_user is the owner.
-- Called by every definer that records or checks its caller.
-- Costs one setting lookup.
create or replace function awf._caller()
returns name
language sql
stable
parallel restricted
return case
    when coalesce(current_setting('role', true), 'none') = 'none' then session_user
    else current_setting('role')::name
end;
comment on function awf._caller() is 'Role of the caller: the role set with SET ROLE, else the login role.';
