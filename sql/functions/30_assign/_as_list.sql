-- A list that may be something else.
-- Called wherever elements of a list are read that somebody else wrote.
-- Costs nothing: inlined.
create or replace function awf._as_list(p_value jsonb)
returns jsonb
language sql
immutable
parallel safe
return case jsonb_typeof(p_value) when 'array' then p_value else '[]' end;
comment on function awf._as_list(jsonb) is 'The value if it is a list, an empty list otherwise.';
