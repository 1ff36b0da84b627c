-- A bucket's value as reports show it.
-- Called by _quantiles().
-- Costs a power.
create or replace function awf._quantile_of(p_bucket integer, p_scale integer)
returns numeric
language sql
immutable
parallel safe
return trim_scale(round((awf._bucket_value(p_bucket) / p_scale)::numeric, 6));
comment on function awf._quantile_of(integer, integer) is 'The value of a bucket in public units.';
