-- Says on which side of its bounds a value lies.
-- Called when params are saved.
-- Costs nothing to speak of.
create or replace function awf._outside(p_value jsonb, p_low numeric, p_high numeric)
returns text
language sql
immutable
parallel safe
return case
    when jsonb_typeof(p_value) <> 'number' then null
    when (p_value #>> '{}')::numeric > p_high then 'above'
    when (p_value #>> '{}')::numeric < p_low then 'below'
end;
comment on function awf._outside(jsonb, numeric, numeric) is '''above'', ''below'' or NULL when the value is within its bounds or is no number.';
