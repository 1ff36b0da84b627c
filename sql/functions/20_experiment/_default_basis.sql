-- The hash basis of a new experiment: that of its layer, else the setting.
-- Called by create_experiment() and create_from_template().
-- Costs two lookups.
create or replace function awf._default_basis(p_layer_key text)
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return coalesce(
        (select l.hash_basis from awf.layers as l where l.key = p_layer_key),
        (select s.value #>> '{}' from awf.settings as s where s.name = 'hash_basis')
    );
end;
$$;
comment on function awf._default_basis(text) is 'session or player.';
