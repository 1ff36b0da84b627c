-- Lists the jobs, with their last runs and when they are due.
-- Called by readers, admins, run_jobs() and the CLI.
-- Costs one lookup a job.
create or replace function awf.list_jobs()
returns table (
    name text, place integer, schedule text, every interval, enabled boolean, due boolean, due_at timestamptz,
    last_started_at timestamptz, last_duration_ms numeric, last_rows bigint, last_code text, last_error text, last_scheduler text,
    description text
)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        j.name, j.place, j.schedule, j.every, j.enabled, j.enabled and d.at <= awf._now(), case when j.enabled then d.at end,
        r.started_at, r.duration_ms, r.rows, r.code, r.error, r.scheduler, j.description
    from awf.jobs as j
    left join lateral (
        select l.started_at, l.duration_ms, l.rows, l.code, l.error, l.scheduler
        from awf.job_runs as l
        where l.job = j.name
        order by l.id desc
        limit 1
    ) as r on true
    cross join lateral (select coalesce(awf._job_due_at(j.every, r.started_at), awf._now()) as at) as d
    order by j.place, j.name;
end;
$$;
comment on function awf.list_jobs() is
'The jobs in the order of a round, each with its last run. due and due_at go by "every"; pg_cron goes by "schedule". due_at is NULL for a
job that is disabled.
Example: SELECT name, last_started_at, last_rows, last_error, due_at FROM awf.list_jobs();';
