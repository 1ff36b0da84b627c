-- Says what is wrong with a condition, and where.
-- Called by matches() and _check_condition().
-- Costs a walk over the condition.
create or replace function awf._condition_fault(p_condition jsonb)
returns text
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Before anything descends: what walks a condition calls itself at every level.
    if jsonb_path_exists(p_condition, 'lax $.**{33 to last}') then
        return '$: is nested more than 32 levels deep';
    end if;
    return awf._entries_fault(p_condition, '$');
end;
$$;
comment on function awf._condition_fault(jsonb) is 'The place of the first fault and the fault, such as "$.locale.$in: must be a list"; NULL when there is none.';
