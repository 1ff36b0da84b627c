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
    -- The harmonic mean of the least and the greatest whole number of the bucket, as stored values are whole.
    else 2 / (
        1 / (floor(power(101.0::double precision / 99, p_bucket - 1)) + 1)
        + 1 / floor(power(101.0::double precision / 99, p_bucket))
    )
end;
comment on function awf._bucket_value(integer) is
'The value within 1 % of every whole number of the bucket: 2 / (1 / least + 1 / greatest); 0 for the bucket of zeros (-1).';
