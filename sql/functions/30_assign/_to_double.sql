-- A number as a double, as JavaScript and Python read it: too large becomes infinite, too small becomes zero.
-- Called wherever two numbers of a condition or an attribute are compared.
-- Costs nothing to speak of.
create or replace function awf._to_double(p_number numeric)
returns double precision
language plpgsql
immutable
strict
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- The casts would raise an error at both ends. The bounds lie half a step beyond the last double.
    return case
        when abs(p_number) >= 1.797693134862315807937e308 then sign(p_number)::double precision * 'Infinity'::double precision
        when abs(p_number) <= 2.4703282292062327208e-324 then 0
        else p_number::double precision
    end;
end;
$$;
comment on function awf._to_double(numeric) is 'The nearest double, infinities included; never an error.';
