-- Trigger: keeps updated_at true and counts the revision.
-- Called for each changed row of experiments.
-- Costs nothing to speak of.
create or replace function awf._touch_experiment()
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
    new.revision := old.revision + 1;
    return new;
end;
$$;
comment on function awf._touch_experiment() is 'Trigger function: sets updated_at and revision.';
