-- Whether an attribute stands in the asked order to a version.
-- Called by _meets_operator().
-- Costs two padded versions.
create or replace function awf._meets_version(p_asked text, p_value jsonb, p_version text)
returns boolean
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return awf._order_holds(p_asked, case jsonb_typeof(p_value)
        when 'string' then awf._compare_texts(awf._version_key(p_value #>> '{}'), awf._version_key(p_version))
    end);
end;
$$;
comment on function awf._meets_version(text, jsonb, text) is 'eq, ne, lt, lte, gt or gte; an attribute that is no text is only ne.';
