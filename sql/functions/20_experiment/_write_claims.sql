-- Claims the slots of an experiment from a moment on, up to its end.
-- Called by _put_in_force() whenever its times may have changed.
-- Writes a few rows; the exclusion constraint of layer_claims decides between two who want one slot.
create or replace function awf._write_claims(p_id bigint, p_from timestamptz)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wanted record;
begin
    -- A stretch of time that goes on keeps its beginning, so that it stays one claim.
    select e.layer_id, e.slots, tstzrange(coalesce(h.since, p_from), e.stop_at) as in_force into v_wanted
    from awf.experiments as e
    left join lateral (
        select lower(c.in_force) as since from awf.layer_claims as c where c.experiment_id = e.id and c.in_force @> p_from
    ) as h on true
    where e.id = p_id and e.layer_id is not null and e.status = 'running' and coalesce(e.stop_at > p_from, true);
    delete from awf.layer_claims as c
    where c.experiment_id = p_id and lower(c.in_force) >= coalesce(lower(v_wanted.in_force), p_from);
    update awf.layer_claims as c set in_force = tstzrange(lower(c.in_force), p_from)
    where c.experiment_id = p_id and coalesce(upper(c.in_force) > p_from, true);
    if v_wanted.layer_id is not null then
        perform awf._claim_slots(v_wanted.layer_id, p_id, v_wanted.slots, v_wanted.in_force);
    end if;
end;
$$;
comment on function awf._write_claims(bigint, timestamptz) is
'Brings layer_claims in line with an experiment from the moment on; raises WF115 when somebody else holds a slot.';
