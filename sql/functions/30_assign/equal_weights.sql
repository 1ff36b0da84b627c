-- The same weight for each of n variations.
-- Called by bucket_ranges().
-- Costs nothing to speak of.
create or replace function awf.equal_weights(p_n integer)
returns double precision[]
language sql
immutable
parallel safe
return case
    when p_n >= 1 then array_fill(1 / p_n::double precision, array[p_n])
    else array[]::double precision[]
end;
comment on function awf.equal_weights(integer) is
'n weights of 1/n each; an empty array when n < 1.
Example: SELECT awf.equal_weights(2);  -- {0.5,0.5}';
