-- Refuses attributes that are no object.
-- Called by assign() and turn_params().
-- Costs nothing to speak of.
create or replace function awf._check_attributes(p_attributes jsonb)
returns void
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_attributes) <> 'object' then
        raise exception using
            errcode = 'WF001',
            message = format('attributes cannot be %s', p_attributes),
            hint = 'Give an object like {"locale": "de-DE", "world": "world.ember-reach"}.';
    end if;
end;
$$;
comment on function awf._check_attributes(jsonb) is 'Raises WF001 unless the attributes are NULL or an object.';
