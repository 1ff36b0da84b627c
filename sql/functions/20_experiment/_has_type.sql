-- Says whether a JSON value has a knob's type; 5.0 is an integer, true is no number.
-- Called when params are saved and at every turn.
-- Costs nothing to speak of.
create or replace function awf._has_type(p_value jsonb, p_type text)
returns boolean
language sql
immutable
parallel safe
return case
    when p_type = 'boolean' then jsonb_typeof(p_value) = 'boolean'
    when jsonb_typeof(p_value) <> 'number' then false
    when p_type = 'integer' then (p_value #>> '{}')::numeric % 1 = 0
    else true
end;
comment on function awf._has_type(jsonb, text) is 'True when the value has the type integer, number or boolean.';
