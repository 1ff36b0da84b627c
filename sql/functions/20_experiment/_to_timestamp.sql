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
    -- Dates as ISO 8601 has them, and none so far away that another time zone could not show it.
    if p_text !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}' or p_text::timestamptz not between '0001-01-03' and '9999-12-29' then
        return null;
    end if;
    return p_text::timestamptz;
exception
    when data_exception then
        return null;
end;
$$;
comment on function awf._to_timestamp(text) is 'The time that a text names, UTC unless it says otherwise; NULL when it does not begin with YYYY-MM-DD or names no time of the years 1 to 9999.';
