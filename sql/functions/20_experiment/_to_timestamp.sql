-- Reads a text as a time; a text without a zone is UTC.
-- Called wherever a time comes from a JSON document.
-- Costs a subtransaction.
create or replace function awf._to_timestamp(p_text text)
returns timestamptz
language plpgsql
stable
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
begin
    return nullif(nullif(p_text::timestamptz, 'infinity'), '-infinity');
exception
    when data_exception then
        return null;
end;
$$;
comment on function awf._to_timestamp(text) is 'The time that a text names, UTC unless it says otherwise; NULL when it names no finite time.';
