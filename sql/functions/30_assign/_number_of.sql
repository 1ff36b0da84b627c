-- The number that a value stands for in a comparison by size, as in JavaScript: null is 0, "8" is 8.
-- Called by _compare_values().
-- Costs one regular expression for a text.
create or replace function awf._number_of(p_value jsonb)
returns double precision
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return case jsonb_typeof(p_value)
        when 'number' then awf._to_double(p_value::numeric)
        when 'null' then 0
        when 'string' then case
            when p_value #>> '{}' ~ '^-?[0-9]{1,200}(?:[.][0-9]{1,200})?$' then awf._to_double((p_value #>> '{}')::numeric)
        end
    end;
end;
$$;
comment on function awf._number_of(jsonb) is 'The number, 0 for null, the number that a text writes in plain decimals; NULL for anything else.';
