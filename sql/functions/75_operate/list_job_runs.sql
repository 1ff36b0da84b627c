-- Lists runs of jobs, the newest first.
-- Called by readers, admins and the CLI.
-- Costs a walk over as many rows of the log.
create or replace function awf.list_job_runs(p_job text default null, p_limit integer default 100)
returns table (
    id bigint, job text, started_at timestamptz, duration_ms numeric, rows bigint, code text, error text, scheduler text
)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_limit is null or p_limit < 0 then
        raise exception using
            errcode = 'WF001',
            message = format('p_limit cannot be %s', coalesce(p_limit::text, 'NULL')),
            hint = 'Give the most runs to list, 0 or more.';
    end if;
    if p_job is not null then
        perform awf._require_job(p_job);
    end if;
    return query
    select r.id, r.job, r.started_at, r.duration_ms, r.rows, r.code, r.error, r.scheduler
    from awf.job_runs as r
    where p_job is null or r.job = p_job
    order by r.id desc
    limit p_limit;
end;
$$;
comment on function awf.list_job_runs(text, integer) is
'The log of jobs (job_runs), the newest run first: of one job, or of all (p_job NULL), at most p_limit runs. code and error are NULL for a
run that went well.
Errors: WF405 (no such job), WF001 (p_limit).
Example: SELECT started_at, duration_ms, rows, error FROM awf.list_job_runs(''refresh'', 10);';
