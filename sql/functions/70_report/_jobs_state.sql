-- How the jobs are doing.
-- Called by analytics_stats().
-- Costs two lookups a job.
create or replace function awf._jobs_state()
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select jsonb_object_agg(
            l.name, jsonb_build_object(
                'enabled', l.enabled, 'lastRunAt', l.last_started_at, 'failing', l.last_code is not null,
                'lastErrorAt', f.started_at, 'lastError', f.code || ': ' || f.error
            )
        )
        from awf.list_jobs() as l
        left join lateral (
            select r.started_at, r.code, r.error
            from awf.job_runs as r
            where r.job = l.name and r.code is not null
            order by r.id desc
            limit 1
        ) as f on true
    );
end;
$$;
comment on function awf._jobs_state() is
'{job: {enabled, lastRunAt, failing, lastErrorAt, lastError}}; failing says whether the last run failed.';
