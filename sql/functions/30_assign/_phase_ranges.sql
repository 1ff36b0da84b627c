-- The ranges of a phase as rows.
-- Called by _bucket_units(), _explain_coverage() and simulate_assignment().
-- Costs nothing to speak of.
create or replace function awf._phase_ranges(p_phase jsonb)
returns table (place bigint, variation_key text, low double precision, high double precision)
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select v.ordinality, v.value ->> 'key', (r.value -> 0)::double precision, (r.value -> 1)::double precision
    from jsonb_array_elements(p_phase -> 'variations') with ordinality as v
    inner join jsonb_array_elements(p_phase -> 'ranges') with ordinality as r on v.ordinality = r.ordinality
    order by v.ordinality;
end;
$$;
comment on function awf._phase_ranges(jsonb) is 'One row a variation, in order: units from low up to, and without, high get it.';
