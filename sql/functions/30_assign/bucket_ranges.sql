-- Cuts [0, 1) into one range per variation, as the GrowthBook SDKs do.
-- Called when a configuration is built.
-- Costs nothing to speak of. Numbers become JSON with all their digits, whatever the caller's setting says.
create or replace function awf.bucket_ranges(p_variations integer, p_coverage double precision, p_weights double precision[])
returns jsonb
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
set extra_float_digits = 1
as $$
declare
    v_coverage constant double precision := least(greatest(coalesce(p_coverage, 1), 0), 1);
    v_weights double precision[] := p_weights;
    v_sum double precision := 0;
    v_low double precision := 0;
    v_width double precision;
    v_ranges jsonb := '[]'::jsonb;
begin
    -- Summed one by one from the left: sum() over floats may take another order, and another result.
    for i in 1 .. coalesce(cardinality(v_weights), 0) loop
        v_sum := v_sum + v_weights[i];
    end loop;
    if coalesce(cardinality(v_weights), 0) <> p_variations or v_sum < 0.99 or v_sum > 1.01 then
        v_weights := awf.equal_weights(p_variations);
    end if;
    for i in 1 .. cardinality(v_weights) loop
        -- PostgreSQL refuses a product that is too small for a float; to a hash of four decimals it is zero.
        v_width := case when v_coverage < 1e-100 or abs(v_weights[i]) < 1e-100 then 0 else v_coverage * v_weights[i] end;
        v_ranges := v_ranges || jsonb_build_array(jsonb_build_array(v_low, v_low + v_width));
        v_low := v_low + v_weights[i];
    end loop;
    return v_ranges;
end;
$$;
comment on function awf.bucket_ranges(integer, double precision, double precision[]) is
'[[low, high), ...], one range per variation in order, as the GrowthBook SDKs compute it. Each variation begins at the sum of the
weights before it and is as wide as coverage x weight, so raising the coverage widens ranges and moves nobody to another.
Coverage is clamped to 0..1; weights that do not fit the number of variations or do not sum to 1 are replaced by equal ones.
Example: SELECT awf.bucket_ranges(2, 0.5, null);  -- [[0, 0.25], [0.5, 0.75]]';
