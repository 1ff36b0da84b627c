-- Whether the operand of $elemMatch has operators for the elements themselves, and not a condition on their fields.
-- Called by _meets_element() and _operator_fault().
-- Costs a walk over its keys.
create or replace function awf._tests_value(p_test jsonb)
returns boolean
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return not exists (
        select from jsonb_object_keys(p_test) as k (key)
        where left(k.key, 1) <> '$' or k.key in ('$and', '$or', '$nor')
    );
end;
$$;
comment on function awf._tests_value(jsonb) is 'Whether all keys of the object are operators on a value.';
