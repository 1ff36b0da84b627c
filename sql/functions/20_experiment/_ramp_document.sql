-- A plan as it is stored: times in UTC, coverages as doubles.
-- Called when a plan is saved.
-- Costs a walk over the plan.
create or replace function awf._ramp_document(p_steps jsonb)
returns jsonb
language plpgsql
stable
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select coalesce(jsonb_agg(jsonb_build_object(
            'coverage', awf._to_double((s.step -> 'coverage')::numeric),
            'at', to_jsonb(awf._to_timestamp(s.step ->> 'at') at time zone 'UTC') #>> '{}' || '+00:00'
        ) order by s.place), '[]')
        from jsonb_array_elements(p_steps) with ordinality as s (step, place)
        where p_steps is not null
        having p_steps is not null
    );
end;
$$;
comment on function awf._ramp_document(jsonb) is '[{"coverage", "at"}, ...] of a checked plan; NULL for NULL.';
