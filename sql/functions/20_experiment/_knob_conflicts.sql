-- The experiments beside which an experiment may not run, because both set a knob and a unit can be in both.
-- Called before and after each change of an experiment that runs: a change may bring none that was not there.
-- Costs a scan of the running experiments.
create or replace function awf._knob_conflicts(p_id bigint)
returns text[]
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return array(
        select o.key || '/' || k.knob
        from awf.experiments as e
        inner join awf.experiments as o
            on o.id <> e.id and o.status = 'running' and (o.layer_id = e.layer_id) is not true
            and coalesce(o.stop_at > greatest(e.start_at, awf._now()), true)
            and coalesce(e.stop_at > greatest(o.start_at, awf._now()), true)
        cross join lateral unnest(awf._knobs_of(e.id)) as k (knob)
        where e.id = p_id and e.status = 'running' and not e.allow_overlap and k.knob = any (awf._knobs_of(o.id))
        order by o.start_at, o.id, k.knob
    );
end;
$$;
comment on function awf._knob_conflicts(bigint) is
'"<experiment>/<knob>" for each other experiment, running or scheduled at the same time, outside the layer of this one, that sets one
of its knobs; empty where the experiment does not run or has allow_overlap.';
