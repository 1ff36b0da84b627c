-- The attributes of an event that an exposure keeps.
-- Called by _exposures_part() for first exposures that have attributes.
-- Costs a walk over them.
create or replace function awf._allowed_attributes(p_attributes jsonb, p_names text[])
returns jsonb
language plpgsql
immutable
strict
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select jsonb_object_agg(a.key, a.value)
        from jsonb_each(p_attributes) as a
        where a.key = any (p_names) and jsonb_typeof(a.value) in ('string', 'number', 'boolean')
    );
end;
$$;
comment on function awf._allowed_attributes(jsonb, text[]) is 'The scalars of the object under the given names; NULL when there are none.';
