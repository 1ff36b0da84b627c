-- The moment, where the time of the transaction is too coarse: several jobs may run in one.
-- Called by run_job().
-- Costs nothing.
create or replace function awf._moment()
returns timestamptz
language sql
volatile
parallel safe
return awf._now() + (clock_timestamp() - now());
comment on function awf._moment() is 'The time of the transaction and what has gone by since it began.';
