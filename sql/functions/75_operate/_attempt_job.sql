-- Runs the function of a job; what it did is undone when it fails.
-- Called by run_job(), which holds the job.
-- Costs what the job costs.
create or replace function awf._attempt_job(p_name text)
returns table (rows bigint, code text, error text)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format('select awf.%I()', '_job_' || p_name) into rows;
    return next;
exception
    -- "others" leaves these two out. A run that was cancelled or took too long belongs into the log as well: repeated every
    -- minute, it would else be seen nowhere.
    when query_canceled or assert_failure or others then
        rows := null;
        code := sqlstate;
        error := awf._job_error(sqlstate, sqlerrm);
        return next;
end;
$$;
comment on function awf._attempt_job(text) is 'Calls awf._job_<name>(): what it counted, or the code and message of its failure.';
