-- What an experiment is doing at a moment.
-- Called by every function that shows experiments.
-- Costs nothing.
create or replace function awf._experiment_state(p_status text, p_start_at timestamptz, p_stop_at timestamptz, p_at timestamptz)
returns text
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return case
        when p_status <> 'running' then p_status
        when p_stop_at <= p_at then 'ended'
        when p_start_at > p_at then 'scheduled'
        else p_status
    end;
end;
$$;
comment on function awf._experiment_state(text, timestamptz, timestamptz, timestamptz) is
'draft, scheduled, running, ended (its stop_at has passed) or stopped.';
