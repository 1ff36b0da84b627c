-- The range a number falls into.
-- Called by assign() and turn_params().
-- Costs a walk over the ranges.
create or replace function awf.choose_variation(p_n double precision, p_ranges jsonb)
returns integer
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_ranges) is distinct from 'array' then
        return -1;
    end if;
    for i in 0 .. jsonb_array_length(p_ranges) - 1 loop
        if p_n >= (p_ranges -> i -> 0)::double precision and p_n < (p_ranges -> i -> 1)::double precision then
            return i;
        end if;
    end loop;
    return -1;
end;
$$;
comment on function awf.choose_variation(double precision, jsonb) is
'Index (from 0) of the first range [low, high) that holds the number; -1 when none does.
Example: SELECT awf.choose_variation(0.6, ''[[0, 0.5], [0.5, 1]]'');  -- 1';
