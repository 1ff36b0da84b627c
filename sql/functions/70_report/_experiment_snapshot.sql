-- The rows of a private view.
-- Called by experiment_overview(), which shows them for experiments that the caller may read.
-- Costs a row for each experiment.
create or replace function awf._experiment_snapshot()
returns table (
    experiment_id bigint, first_day date, last_day date, turns bigint, failed_turns bigint, bundle_tokens numeric,
    output_tokens numeric, latency_us numeric, latencies numeric, exposures bigint
)
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    return query select s.* from awf.experiment_snapshot as s;
end;
$$;
comment on function awf._experiment_snapshot() is 'The rows of experiment_snapshot.';
