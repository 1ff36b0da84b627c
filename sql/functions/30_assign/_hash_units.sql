-- The assignment hash of many units.
-- Called by _bucket_units().
-- Costs 3 to 4 us for a UUID.
create or replace function awf._hash_units(p_seed text, p_values text[], p_hash_version integer)
returns double precision[]
language plpgsql
immutable
strict
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_hashes bigint[];
    v_size integer;
begin
    if p_hash_version = 2 then
        v_hashes := awf._fnv1a(p_values, '', (awf._fnv1a(array[p_seed]))[1], 2);
        v_size := 10000;
    elsif p_hash_version = 1 then
        v_hashes := awf._fnv1a(p_values, p_seed);
        v_size := 1000;
    end if;
    return array(
        select h.hash % v_size / v_size::double precision
        from unnest(v_hashes) with ordinality as h (hash, place)
        order by h.place
    );
end;
$$;
comment on function awf._hash_units(text, text[], integer) is 'hash_unit() of each value, in their order; an empty array for an unknown version.';
