-- Says whether an experiment is in force right before a moment.
-- Called by _write_timeline() and stop_experiment().
-- Costs one lookup.
create or replace function awf._runs_before(p_id bigint, p_at timestamptz)
returns boolean
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_running boolean;
begin
    select p.running into v_running
    from awf.experiment_phases as p
    where p.experiment_id = p_id and p.start_at < p_at
    order by p.start_at desc
    limit 1;
    return coalesce(v_running, false);
end;
$$;
comment on function awf._runs_before(bigint, timestamptz) is
'True when the last row of the timeline before the moment is one that runs.';
