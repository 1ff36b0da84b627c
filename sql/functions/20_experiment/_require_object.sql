-- Refuses a document that is no JSON object.
-- Called by functions that take one.
-- Costs nothing.
create or replace function awf._require_object(p_what text, p_document jsonb)
returns void
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_document) is distinct from 'object' then
        raise exception using
            errcode = 'WF001',
            message = format('%s are %s, not an object', p_what, coalesce(left(p_document::text, 200), 'NULL')),
            hint = 'Give an object like {"name": "New name", "coverage": 0.5}.';
    end if;
end;
$$;
comment on function awf._require_object(text, jsonb) is 'Raises WF001 unless the value is a JSON object.';
