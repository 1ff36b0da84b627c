-- Whether the outcome of a comparison is what an operator asks for.
-- Called by _meets_operator() and _meets_version().
-- Costs nothing to speak of.
create or replace function awf._order_holds(p_asked text, p_order integer)
returns boolean
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return case p_asked
        when 'eq' then p_order is not distinct from 0
        when 'ne' then p_order is distinct from 0
        when 'lt' then coalesce(p_order < 0, false)
        when 'lte' then coalesce(p_order <= 0, false)
        when 'gt' then coalesce(p_order > 0, false)
        when 'gte' then coalesce(p_order >= 0, false)
    end;
end;
$$;
comment on function awf._order_holds(text, integer) is 'eq, ne, lt, lte, gt, gte over -1, 0, 1; NULL (cannot be compared) is only ne.';
