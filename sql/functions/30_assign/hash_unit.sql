-- The assignment hash: where in [0, 1) a unit falls under a seed.
-- Called by assign(), turn_params() and anybody who wants to follow an assignment.
-- Costs two FNV-1a runs (version 2) or one (version 1); inlined.
create or replace function awf.hash_unit(p_seed text, p_value text, p_hash_version integer)
returns double precision
language sql
immutable
parallel safe
return case p_hash_version
    when 2 then (awf._fnv1a(array[p_seed || p_value], p_rounds => 2))[1] % 10000 / 10000.0::double precision
    when 1 then (awf._fnv1a(array[p_value || p_seed]))[1] % 1000 / 1000.0::double precision
end;
comment on function awf.hash_unit(text, text, integer) is
'Number in [0, 1) for a unit, as the GrowthBook SDKs compute it (hash versions 1 and 2; NULL for any other).
Version 2: FNV-1a(FNV-1a(seed + value) as decimal text) mod 10000 / 10000. Version 1: FNV-1a(value + seed) mod 1000 / 1000.
Source: GrowthBook SDK specification 0.8.
Example: SELECT awf.hash_unit(''token-budget-test'', ''session-1'', 2);';
