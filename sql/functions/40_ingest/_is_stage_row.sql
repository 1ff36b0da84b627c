-- Says whether a refused event was kept as a row of the stage, not as a document: its player hash is written as a bytea.
-- Called by _keeps_all() and _retry_document().
-- Costs next to nothing.
create or replace function awf._is_stage_row(p_event jsonb)
returns boolean
language sql
immutable
parallel safe
return coalesce(left(p_event ->> 'player_hash', 2) = '\x', false);
comment on function awf._is_stage_row(jsonb) is 'True for a refused row of the staging table.';
