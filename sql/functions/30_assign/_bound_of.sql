-- One bound of a knob or a guardrail.
-- Called by _apply_knob().
-- Costs nothing: inlined.
create or replace function awf._bound_of(p_bounds jsonb, p_side text)
returns numeric
language sql
immutable
parallel safe
return case jsonb_typeof(p_bounds -> p_side) when 'number' then (p_bounds -> p_side)::numeric end;
comment on function awf._bound_of(jsonb, text) is 'The number under min or max; NULL when there is none.';
