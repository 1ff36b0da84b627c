-- A JSON value with its letters A to Z in lower case.
-- Called for the operators that disregard case.
-- Costs a conversion to text and back.
create or replace function awf._fold_case(p_value jsonb)
returns jsonb
language plpgsql
immutable
strict
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- JSON writes nothing but strings in capitals, and every escape that jsonb prints is in lower case already.
    return lower(p_value::text collate "C")::jsonb;
end;
$$;
comment on function awf._fold_case(jsonb) is 'The value with ASCII letters in lower case; other letters stay, as what their lower case is depends on the platform.';
