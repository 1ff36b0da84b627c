-- Says whether an experiment was ever in force before a moment.
-- Called by start_experiment() and stop_experiment().
-- Costs one lookup.
create or replace function awf._has_begun(p_id bigint, p_at timestamptz)
returns boolean
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return exists (select from awf.experiment_phases as p where p.experiment_id = p_id and p.start_at < p_at);
end;
$$;
comment on function awf._has_begun(bigint, timestamptz) is
'True when the timeline of the experiment has a row before the moment.';
