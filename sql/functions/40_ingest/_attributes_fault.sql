-- Says what is wrong with the attributes of an event.
-- Called by _event_fault() and _document_fault().
-- Costs a walk over them.
create or replace function awf._attributes_fault(p_attributes jsonb)
returns text
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_attributes) <> 'object' then
        return format('bad_attributes: attributes is of type %s, not an object', jsonb_typeof(p_attributes));
    elsif octet_length(p_attributes::text) > 2048 then
        return format('too_long: attributes takes %s bytes, more than 2048', octet_length(p_attributes::text));
    end if;
    return (
        select format('bad_attributes: attribute "%s" is of type %s, not a text, number or boolean', left(x.key, 60), jsonb_typeof(x.value))
        from jsonb_each(p_attributes) as x
        where jsonb_typeof(x.value) in ('object', 'array')
        order by x.key
        limit 1
    );
end;
$$;
comment on function awf._attributes_fault(jsonb) is '"reason: what is wrong" with the attributes of an event; NULL for good ones or none.';
