-- How many copies a bound in braces makes of what it repeats.
-- Called by _regex_fault().
-- Costs two regular expressions.
create or replace function awf._repeat_bound(p_bound text)
returns integer
language plpgsql
immutable
strict
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_low constant integer := substring(p_bound from '[0-9]+')::integer;
    v_high constant integer := coalesce(substring(p_bound from ',([0-9]+)')::integer, v_low);
begin
    return case when v_low <= v_high then greatest(v_high, 1) else 0 end;
end;
$$;
comment on function awf._repeat_bound(text) is 'The larger number of {n}, {n,} or {n,m}, at least 1; 0 when they are out of order.';
