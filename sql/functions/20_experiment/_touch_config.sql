-- Trigger: counts a change of the configuration and tells whoever listens on the channel awf_config.
-- Called for each changed row of experiments, their variations and overrides, knobs and settings.
-- Locks the one row of config_state until the transaction ends.
create or replace function awf._touch_config()
returns trigger
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_revision bigint;
begin
    perform awf._require_safe_owner();
    update awf.config_state as c set revision = c.revision + 1 returning c.revision into v_revision;
    perform pg_notify('awf_config', v_revision::text);
    return null;
end;
$$;
comment on function awf._touch_config() is 'Trigger function: moves the revision and notifies the channel awf_config.';
