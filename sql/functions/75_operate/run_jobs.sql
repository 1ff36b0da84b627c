-- Runs every job that is due: one round.
-- Called by admins, and by a scheduler that knows plain SQL only.
-- One transaction for all: what a job locks is held to the end of the round. A scheduler that can calls run_job() for each.
create or replace function awf.run_jobs()
returns table (
    job text, outcome text, started_at timestamptz, duration_ms numeric, rows bigint, code text, error text
)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_name text;
begin
    for v_name in select l.name from awf.list_jobs() as l where l.due order by l.place loop
        select r.job, r.outcome, r.started_at, r.duration_ms, r.rows, r.code, r.error
        into job, outcome, started_at, duration_ms, rows, code, error
        from awf.run_job(v_name, true) as r;
        return next;
        -- Who cancels means the round, not one job of it.
        exit when code = '57014';
    end loop;
end;
$$;
comment on function awf.run_jobs() is
'Runs the jobs that are due, one after the other, and returns what run_job() says of each; no row when none is due. A job that fails
does not stop the others; a cancelled one ends the round. All is one transaction: run it alone in one.
Example: SELECT job, outcome, rows, error FROM awf.run_jobs();';
