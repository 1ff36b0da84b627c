-- Finds a layer, or says which there are.
-- Called by every function that takes a layer key.
-- Costs one lookup.
create or replace function awf._find_layer(p_key text)
returns integer
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant integer := (select l.id from awf.layers as l where l.key = p_key);
begin
    if v_id is null then
        raise exception using
            errcode = 'WF117',
            message = format('there is no layer "%s"', coalesce(left(p_key, 100), 'NULL')),
            hint = 'SELECT key FROM awf.list_layers(); (awf-pg layer list) shows them all.';
    end if;
    return v_id;
end;
$$;
comment on function awf._find_layer(text) is 'Id of the layer; raises WF117 when there is none.';
