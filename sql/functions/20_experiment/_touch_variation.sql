-- Trigger: a change of a variation is a change of its experiment.
-- Called for each changed row of experiment_variations.
-- Writes the row of the experiment.
create or replace function awf._touch_variation()
returns trigger
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    update awf.experiments as e set revision = e.revision where e.key = coalesce(new.experiment_key, old.experiment_key);
    return null;
end;
$$;
comment on function awf._touch_variation() is 'Trigger function: moves updated_at and revision of the experiment.';
