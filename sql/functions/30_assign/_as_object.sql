-- An object that may be something else.
-- Called wherever entries of an object are read that somebody else wrote.
-- Costs nothing: inlined.
create or replace function awf._as_object(p_value jsonb)
returns jsonb
language sql
immutable
parallel safe
return case jsonb_typeof(p_value) when 'object' then p_value else '{}' end;
comment on function awf._as_object(jsonb) is 'The value if it is an object, an empty object otherwise.';
