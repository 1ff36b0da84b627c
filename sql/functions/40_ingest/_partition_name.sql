-- How the table of a day's events is called, whether it is there or not.
-- Called by whatever looks for it or makes it.
-- Costs nothing: it becomes part of the expression that asks.
create or replace function awf._partition_name(p_day date)
returns text
language sql
stable
parallel safe
return 'turn_events_' || to_char(p_day, 'YYYYMMDD');
comment on function awf._partition_name(date) is 'Name of the table of a day (UTC), without its schema.';
