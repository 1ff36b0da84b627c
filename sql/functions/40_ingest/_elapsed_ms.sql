-- How long this transaction has lasted.
-- Called by whatever writes the ingest log.
-- Costs one look at the clock.
create or replace function awf._elapsed_ms()
returns numeric
language sql
volatile
parallel safe
return round(extract(epoch from clock_timestamp() - now()) * 1000, 3);
comment on function awf._elapsed_ms() is 'Milliseconds since the transaction began.';
