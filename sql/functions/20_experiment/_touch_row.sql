-- Trigger: keeps updated_at true.
-- Called for each changed row of experiment_variations.
-- Costs nothing to speak of.
create or replace function awf._touch_row()
returns trigger
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- The clock, not the transaction's time: two updates in one transaction move it twice.
    new.updated_at := greatest(clock_timestamp(), old.updated_at + interval '1 microsecond');
    return new;
end;
$$;
comment on function awf._touch_row() is 'Trigger function: sets updated_at.';
