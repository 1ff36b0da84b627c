-- A player hash of a refused event, if it is one; anything else may be a player id.
-- Called by _event_remains().
-- Costs one regular expression.
create or replace function awf._hash_remains(p_value jsonb)
returns jsonb
language sql
immutable
parallel safe
return case when jsonb_typeof(p_value) = 'string' and p_value #>> '{}' ~ '^(\\x)?[0-9A-Fa-f]{64}$' then p_value end;
comment on function awf._hash_remains(jsonb) is 'The value when it is 64 hexadecimal digits (with or without \x), else NULL.';
