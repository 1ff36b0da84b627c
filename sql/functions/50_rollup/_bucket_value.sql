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
    else 2 * power(1.01::double precision / 0.99::double precision, p_bucket)
        / (1.01::double precision / 0.99::double precision + 1)
end;
comment on function awf._bucket_value(integer) is
'The value within 1 % of every value of the bucket: 2 gamma^k / (gamma + 1); 0 for the bucket of zeros (-1).';
