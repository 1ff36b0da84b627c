-- The ranges that allocations and a coverage give.
-- Called by _write_timeline() and _experiment_config().
-- Costs nothing to speak of.
create or replace function awf._allocation_ranges(p_allocations jsonb, p_coverage double precision)
returns jsonb
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return awf.bucket_ranges(
        jsonb_array_length(p_allocations), p_coverage, array(
            select awf._to_double((a.entry -> 'percent')::numeric) / 100
            from jsonb_array_elements(p_allocations) with ordinality as a (entry, place)
            order by a.place
        )
    );
end;
$$;
comment on function awf._allocation_ranges(jsonb, double precision) is '[[low, high), ...] in the order of the allocations.';
