-- Whether two JSON values are equal: same type, same value, numbers as doubles, the order of an object's keys aside.
-- Called wherever a condition compares for equality.
-- Costs a walk over both.
create or replace function awf._same_value(p_one jsonb, p_other jsonb)
returns boolean
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_one = p_other then
        return true;
    elsif jsonb_typeof(p_one) is distinct from jsonb_typeof(p_other) then
        return false;
    end if;
    return case jsonb_typeof(p_one)
        when 'number' then awf._to_double(p_one::numeric) = awf._to_double(p_other::numeric)
        when 'array' then jsonb_array_length(p_one) = jsonb_array_length(p_other) and not exists (
            select from generate_series(0, jsonb_array_length(p_one) - 1) as i (i)
            where not awf._same_value(p_one -> i.i, p_other -> i.i)
        )
        when 'object' then not exists (
            select from jsonb_object_keys(p_one || p_other) as k (key)
            where not awf._same_value(p_one -> k.key, p_other -> k.key)
        )
        else false
    end;
end;
$$;
comment on function awf._same_value(jsonb, jsonb) is 'Deep equality of two JSON values; never NULL.';
