-- Trigger: stores a row inserted into the view analytics_events.
-- Called for each row.
-- Costs what record_turn() costs.
create or replace function awf._insert_analytics_event()
returns trigger
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    new.id := awf._record_event(to_jsonb(new) - 'created_at');
    return new;
end;
$$;
comment on function awf._insert_analytics_event() is 'Trigger function: INSERT on analytics_events.';
