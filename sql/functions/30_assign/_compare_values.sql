-- Compares an attribute with the operand of $lt, $lte, $gt or $gte.
-- Called by _meets_operator().
-- Costs nothing to speak of.
create or replace function awf._compare_values(p_value jsonb, p_operand jsonb)
returns integer
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_one double precision;
    v_other double precision;
begin
    if jsonb_typeof(p_value) = 'string' and jsonb_typeof(p_operand) = 'string' then
        return awf._compare_texts(p_value #>> '{}', p_operand #>> '{}');
    end if;
    v_one := awf._number_of(p_value);
    v_other := awf._number_of(p_operand);
    return case when v_one < v_other then -1 when v_one > v_other then 1 when v_one = v_other then 0 end;
end;
$$;
comment on function awf._compare_values(jsonb, jsonb) is
'-1, 0 or 1. Two texts compare by code point, anything else as numbers; NULL when a side stands for no number.';
