-- Refuses a day whose events were detached or dropped: a new partition would pass for all of the day.
-- Called by _add_partition() before it makes one, and _detach_day().
-- Costs one lookup.
create or replace function awf._require_day_present(p_day date)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_state constant text := (
        select d.state from awf.event_days as d where d.day = p_day and d.state in ('detached', 'dropped')
    );
begin
    if v_state is not null then
        raise exception using
            errcode = 'WF301',
            message = format('the events of %s are gone: the day takes no others', p_day),
            detail = format('Its partition was %s (table awf.event_days). Its rollups stay as they are.', v_state),
            hint = 'Restore the day from its archive first. awf.ingest_batch() and awf.record_turns() keep such events aside.';
    end if;
end;
$$;
comment on function awf._require_day_present(date) is 'Raises WF301 for a day (UTC) that event_days knows as detached or dropped.';
