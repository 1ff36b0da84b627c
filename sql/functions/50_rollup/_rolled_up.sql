-- The condition that selects, as e, the events that a refresh has added to the rollups.
-- Called by whatever makes rollups anew.
-- Costs nothing: a constant. What the next refresh will add is left out; a batch that is in the log no more was added long ago.
create or replace function awf._rolled_up()
returns text
language sql
immutable
parallel safe
return 'not exists (select from awf.ingest_log as l where l.batch_id = e.batch_id and l.rolled_up_at is null)';
comment on function awf._rolled_up() is 'SQL condition on turn_events as e: its batch does not wait for a refresh.';
