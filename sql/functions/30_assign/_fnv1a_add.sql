-- Adds one code unit to an FNV-1a hash.
-- Called by _fnv1a_add8(), _fnv1a() and _fnv1a_wide().
-- Costs nothing to speak of: inlined, so it must not get a SET clause.
create or replace function awf._fnv1a_add(p_hash bigint, p_unit integer)
returns bigint
language sql
immutable
parallel safe
return int8xor(p_hash, p_unit::bigint) * 16777619 & 4294967295;
comment on function awf._fnv1a_add(bigint, integer) is 'One step of FNV-1a (Fowler, Noll, Vo; 32 bits, prime 16777619).';
