-- Marks the staged rows of days whose events have left the database.
-- Called by _reject_stage(). No day leaves until the end of the transaction.
-- Costs one lookup; where days have left, a comparison a row.
create or replace function awf._reject_gone_days()
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_days date[];
    v_end timestamptz;
begin
    lock table only awf.turn_events in row exclusive mode;
    select array_agg(d.day), (max(d.day) + 1)::timestamp at time zone 'UTC'
    into v_days, v_end
    from awf.event_days as d
    where d.state in ('detached', 'dropped');
    if v_days is not null then
        update pg_temp.awf_stage as s set fault = format('day_gone: ts is %s; the events of that day are gone', s.ts)
        where s.ts < v_end and s.fault is null and (s.ts at time zone 'UTC')::date = any (v_days);
    end if;
end;
$$;
comment on function awf._reject_gone_days() is 'Marks staged rows of days that event_days knows as detached or dropped.';
