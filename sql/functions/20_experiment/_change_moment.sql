-- The moment from which a change of an experiment counts: now, or its start where that lies ahead.
-- Called before an experiment is changed.
-- Costs a look at its timeline.
create or replace function awf._change_moment(p_id bigint)
returns timestamptz
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- A change that was made by a transaction which began later than this one is in the timeline already, and not planned.
    return (
        select greatest(
            awf._now(),
            e.start_at,
            (
                select max(p.start_at)
                from awf.experiment_phases as p
                where p.experiment_id = e.id and p.start_at > awf._now()
                    and (e.status = 'running' and p.start_at = e.stop_at) is not true
                    and not exists (
                        select from jsonb_array_elements(e.ramp) as s (step) where (s.step ->> 'at')::timestamptz = p.start_at
                    )
            )
        )
        from awf.experiments as e
        where e.id = p_id
    );
end;
$$;
comment on function awf._change_moment(bigint) is
'Now, the start of the experiment or the latest change made to it, whichever is last.';
