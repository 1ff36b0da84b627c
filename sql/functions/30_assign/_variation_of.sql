-- A variation of a phase by its key.
-- Called by _decide().
-- Costs a walk over the variations.
create or replace function awf._variation_of(p_phase jsonb, p_key text)
returns jsonb
language plpgsql
immutable
strict
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (select v.value from jsonb_array_elements(p_phase -> 'variations') as v where v.value ->> 'key' = p_key limit 1);
end;
$$;
comment on function awf._variation_of(jsonb, text) is '{"key", "id"}; NULL when the phase has no such variation.';
