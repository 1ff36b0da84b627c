-- Compares two texts by code point.
-- Called by _compare_values() and _meets_version().
-- Costs nothing to speak of.
create or replace function awf._compare_texts(p_one text, p_other text)
returns integer
language plpgsql
immutable
strict
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return case when p_one < p_other collate "C" then -1 when p_one > p_other collate "C" then 1 else 0 end;
end;
$$;
comment on function awf._compare_texts(text, text) is '-1, 0 or 1, by code point whatever the collation of the database.';
