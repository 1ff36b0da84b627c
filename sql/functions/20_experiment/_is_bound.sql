-- Says whether a JSON value can be a guardrail: a number, or {"min": number, "max": number} with at least one of the two.
-- Called by _check_guardrails().
-- Costs nothing to speak of.
create or replace function awf._is_bound(p_bound jsonb)
returns boolean
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_bound) = 'number' then
        return true;
    elsif jsonb_typeof(p_bound) <> 'object' or p_bound = '{}'::jsonb or p_bound - 'min' - 'max' <> '{}'::jsonb
        or coalesce(jsonb_typeof(p_bound -> 'min'), 'number') <> 'number'
        or coalesce(jsonb_typeof(p_bound -> 'max'), 'number') <> 'number' then
        return false;
    end if;
    return coalesce((p_bound ->> 'min')::numeric <= (p_bound ->> 'max')::numeric, true);
end;
$$;
comment on function awf._is_bound(jsonb) is 'True when the value is a maximum or an object of min and max in order.';
