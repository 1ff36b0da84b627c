-- The bucket of a value: k holds what lies above gamma^(k-1) up to gamma^k, gamma = 1.01 / 0.99; -1 holds zero.
-- Called for every event and metric with a histogram; a plain expression, so that the planner takes it into the query.
-- Costs a logarithm.
create or replace function awf._bucket_of(p_value double precision)
returns smallint
language sql
immutable
parallel safe
return case
    when p_value > 0 then ceil(ln(p_value) / ln(1.01::double precision / 0.99::double precision))
    when p_value <= 0 then -1
end::smallint;
comment on function awf._bucket_of(double precision) is
'Bucket of a value of 0 or more in histograms, NULL for NULL (Masson, Rim, Lee 2019, DDSketch: relative accuracy 0.01).';
