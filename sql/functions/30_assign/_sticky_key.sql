-- What a sticky assignment is kept under, as in GrowthBook's documents.
-- Called wherever assignments are kept or looked up.
-- Costs nothing: inlined.
create or replace function awf._sticky_key(p_experiment_key text, p_bucket_version integer)
returns text
language sql
immutable
parallel safe
return p_experiment_key || '__' || p_bucket_version;
comment on function awf._sticky_key(text, integer) is '"<experiment>__<bucket version>".';
