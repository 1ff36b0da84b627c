-- The check that a reason of _decide() comes from.
-- Called by explain_assignment().
-- Costs nothing: inlined.
create or replace function awf._check_of(p_reason text)
returns text
language sql
immutable
parallel safe
return case p_reason when 'blocked' then 'sticky' when 'assigned' then 'coverage' else p_reason end;
comment on function awf._check_of(text) is 'Most reasons have the name of their check.';
