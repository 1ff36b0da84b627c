-- Adds the texts of the good staged rows to the dictionaries.
-- Called by ingest_batch().
-- Costs a scan of the stage for each dictionary.
create or replace function awf._add_stage_dimensions()
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._add_dimensions('adventure', array(select distinct s.adventure_ref from pg_temp.awf_stage as s));
    perform awf._add_dimensions('locale', array(select distinct s.locale from pg_temp.awf_stage as s));
    perform awf._add_dimensions('model', array(select distinct s.model from pg_temp.awf_stage as s));
    perform awf._add_dimensions('world', array(select distinct s.world_ref from pg_temp.awf_stage as s));
end;
$$;
comment on function awf._add_stage_dimensions() is 'Gives every text of the staged events its dictionary number.';
