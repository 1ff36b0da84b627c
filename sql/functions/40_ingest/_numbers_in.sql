-- The metrics of a refused event that may be kept.
-- Called by _event_remains().
-- Costs a walk over the document.
create or replace function awf._numbers_in(p_metrics jsonb)
returns jsonb
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_metrics) <> 'object' then
        return null;
    end if;
    return (
        select coalesce(jsonb_object_agg(left(x.key, 100), x.value), '{}')
        from jsonb_each(p_metrics) as x
        where jsonb_typeof(x.value) in ('number', 'boolean')
    );
end;
$$;
comment on function awf._numbers_in(jsonb) is 'The numbers and booleans of an object; NULL when it is none.';
