-- The timeline of an experiment as the evaluators read it.
-- Called by _experiment_config().
-- Costs a walk over the timeline.
create or replace function awf._config_phases(p_id bigint, p_as_draft boolean)
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
            'phase', p.phase, 'startAt', p.start_at, 'coverage', p.coverage, 'hashSeed', p.hash_seed, 'condition', p.condition,
            'bucketVersion', p.bucket_version, 'minBucketVersion', p.min_bucket_version,
            'ranges', case when p.running then p.ranges else '[]' end,
            'variations', case when p.running then awf._phase_variations(p_id, p.phase, p.allocations) else '[]' end
        ) order by p.start_at), '[]')
        from (
            select
                t.start_at, t.phase, t.running, t.coverage, t.allocations, t.ranges, t.hash_seed, t.condition,
                t.bucket_version, t.min_bucket_version
            from awf.experiment_phases as t
            where t.experiment_id = p_id and p_as_draft is not true
            union all
            select
                '-infinity', e.phase, true, d.coverage, e.allocations, awf._allocation_ranges(e.allocations, d.coverage),
                e.hash_seed, e.condition, e.bucket_version, e.min_bucket_version
            from awf.experiments as e
            cross join lateral (
                select case e.status
                    when 'draft' then e.coverage
                    else awf._coverage_at(e.coverage, e.ramp, awf._now())
                end as coverage
            ) as d
            where e.id = p_id and p_as_draft
        ) as p
    );
end;
$$;
comment on function awf._config_phases(bigint, boolean) is
'[{"phase", "startAt", "coverage", "hashSeed", "condition", "bucketVersion", "minBucketVersion", "ranges", "variations"}, ...],
oldest first.';
