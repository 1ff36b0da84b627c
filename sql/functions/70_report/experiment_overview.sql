-- All experiments at a glance, as of a few minutes ago.
-- Called by readers, analysts, admins and the CLI.
-- Costs a row for each experiment.
create or replace function awf.experiment_overview()
returns table (
    experiment_key text, status text, phase integer, exposures bigint, turns bigint, failed_turns bigint, bundle_tokens numeric,
    output_tokens numeric, avg_turn_latency_ms numeric, first_day date, last_day date, as_of timestamptz
)
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        e.key, e.status, (select max(v.phase) from awf.variation_ids as v where v.experiment_id = e.id),
        coalesce(s.exposures, 0), coalesce(s.turns, 0), coalesce(s.failed_turns, 0), coalesce(s.bundle_tokens, 0),
        coalesce(s.output_tokens, 0), round(s.latency_us / s.latencies / 1000, 3), s.first_day, s.last_day, r.refreshed_at
    from awf.experiments as e
    left join awf._experiment_snapshot() as s on e.id = s.experiment_id
    cross join awf.view_refreshes as r
    where r.view_name = 'experiment_snapshot'
    order by e.status = 'running' desc, s.last_day desc nulls last, e.key;
end;
$$;
comment on function awf.experiment_overview() is
'All experiments, the running ones first: status, latest phase, exposures (units of each phase), turns, failed turns, sums of tokens, mean
latency in ms, first and last day (UTC) with turns. The figures are those of the moment as_of, which the job "views" moves on every five
minutes; experiment_report() has those of now.
Example: SELECT experiment_key, turns, as_of FROM awf.experiment_overview();';
