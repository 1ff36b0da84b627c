-- Triggers of the experiment tables. They call functions of the extension, so they are made anew at every migration.

create or replace trigger touch_row before update on awf.experiments
for each row execute function awf._touch_experiment();
create or replace trigger touch_row before update on awf.experiment_variations
for each row execute function awf._touch_row();
create or replace trigger touch_experiment after insert or update or delete on awf.experiment_variations
for each row execute function awf._touch_variation();

create or replace trigger touch_config after insert or update or delete on awf.experiments
for each row execute function awf._touch_config();
create or replace trigger touch_config after insert or update or delete on awf.experiment_variations
for each row execute function awf._touch_config();
create or replace trigger touch_config after insert or update or delete on awf.experiment_overrides
for each row execute function awf._touch_config();
create or replace trigger touch_config after insert or update or delete on awf.knobs
for each row execute function awf._touch_config();
create or replace trigger touch_config after update on awf.settings
for each row execute function awf._touch_config();
create or replace trigger count_added after insert on awf.exposures
referencing new table as added
for each statement execute function awf._count_exposures();
create or replace trigger count_changed after update on awf.exposures
referencing old table as gone new table as added
for each statement execute function awf._count_exposures();
create or replace trigger count_gone after delete on awf.exposures
referencing old table as gone
for each statement execute function awf._count_exposures();
