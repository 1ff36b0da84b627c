-- The value that stands for all values of a bucket.
-- Called by the reports.
-- Costs a power.
create or replace function awf._bucket_value(p_bucket integer)
returns double precision
language sql
immutable
parallel safe
return case
    when p_bucket < 0 then 0
    -- Stored values are whole: where the bucket has room for one alone, that is it.
    when floor(power(101.0::double precision / 99, p_bucket)) = floor(power(101.0::double precision / 99, p_bucket - 1)) + 1
        then floor(power(101.0::double precision / 99, p_bucket))
    else 2 * power(101.0::double precision / 99, p_bucket) / (101.0::double precision / 99 + 1)
end;
comment on function awf._bucket_value(integer) is
'The value within 1 % of every value of the bucket: its only whole number, or else 2 gamma^k / (gamma + 1); 0 for the bucket of zeros (-1).';
