-- The timeline of an experiment in short.
-- Called by _experiment_document().
-- Costs a walk over the timeline.
create or replace function awf._phases_document(p_id bigint)
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
set extra_float_digits = 1
as $$
begin
    return (
        select coalesce(jsonb_agg(jsonb_build_object(
            'phase', p.phase, 'startAt', p.start_at, 'endAt', p.end_at, 'running', p.running, 'coverage', p.coverage,
            'allocations', p.allocations, 'ranges', p.ranges
        ) order by p.start_at), '[]')
        from (
            select t.*, lead(t.start_at) over (order by t.start_at) as end_at
            from awf.experiment_phases as t
            where t.experiment_id = p_id
        ) as p
    );
end;
$$;
comment on function awf._phases_document(bigint) is
'[{"phase", "startAt", "endAt", "running", "coverage", "allocations", "ranges"}, ...], oldest first, planned ones included.';
