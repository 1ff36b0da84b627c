-- Writes the timeline of an experiment from a moment on, as its row now says: what is in force, the steps of its ramp, its end.
-- Called by _put_in_force() whenever something that assigns has changed.
-- Writes a few rows; what lies before the moment stays.
create or replace function awf._write_timeline(p_id bigint, p_from timestamptz)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from awf.experiment_phases as p where p.experiment_id = p_id and p.start_at >= p_from;
    insert into awf.experiment_phases
    select
        e.id, t.start_at, e.phase, t.running, t.coverage, e.allocations, awf._allocation_ranges(e.allocations, t.coverage),
        e.hash_seed, e.condition, e.bucket_version, e.min_bucket_version
    from awf.experiments as e
    cross join lateral (select e.status = 'running' and coalesce(e.stop_at > p_from, true) as in_force) as f
    cross join lateral (
        select p_from as start_at, f.in_force as running, awf._coverage_at(e.coverage, e.ramp, p_from) as coverage
        union all
        select (s.step ->> 'at')::timestamptz, true, (s.step -> 'coverage')::double precision
        from jsonb_array_elements(e.ramp) as s (step)
        where f.in_force and (s.step ->> 'at')::timestamptz > p_from
            and coalesce((s.step ->> 'at')::timestamptz < e.stop_at, true)
        union all
        select e.stop_at, false, awf._coverage_at(e.coverage, e.ramp, e.stop_at)
        where f.in_force and e.stop_at is not null
    ) as t
    where e.id = p_id and (t.running or t.start_at > p_from or awf._runs_before(p_id, p_from));
    -- A change of the end alone leaves what assigns as it was.
    delete from awf.experiment_phases as p
    where p.experiment_id = p_id and p.start_at = p_from and to_jsonb(p) - 'start_at' = (
        select to_jsonb(b) - 'start_at'
        from awf.experiment_phases as b
        where b.experiment_id = p_id and b.start_at < p_from
        order by b.start_at desc
        limit 1
    );
end;
$$;
comment on function awf._write_timeline(bigint, timestamptz) is
'Rewrites experiment_phases from the moment on; the rows before it stay as they are.';
