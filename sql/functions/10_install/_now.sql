-- The time, from one place, so that a test can set it inside its transaction.
-- Called by every function that asks for the time.
-- Costs nothing: inlined.
create or replace function awf._now()
returns timestamptz
language sql
stable
parallel safe
return now();
comment on function awf._now() is 'The time of the transaction.';
