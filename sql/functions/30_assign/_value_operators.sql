-- The operators on an attribute.
-- Called by _entries_fault() and _value_fault().
-- Costs nothing: a constant.
create or replace function awf._value_operators()
returns text[]
language sql
immutable
parallel safe
return array[
    '$eq', '$ne', '$lt', '$lte', '$gt', '$gte', '$veq', '$vne', '$vlt', '$vlte', '$vgt', '$vgte', '$in', '$nin', '$ini', '$nini',
    '$inGroup', '$notInGroup', '$regex', '$regexi', '$notRegex', '$notRegexi', '$exists', '$type', '$size', '$all', '$alli',
    '$elemMatch', '$not'
];
comment on function awf._value_operators() is 'Names of the operators that a condition can apply to an attribute.';
