-- Drops the partitions of days that are older than events are kept, whole days only; deletes refused events that are too old.
-- Called daily by an admin, a scheduler or the CLI, in a transaction of its own.
-- Waits for a refresh at work. Some 12 ms a day nobody else uses turn_events, until the transaction ends: hence p_max_days.
create or replace function awf.apply_retention(p_dry_run boolean default false, p_max_days integer default 31)
returns table (day date, table_name text, bytes bigint, events bigint, action text)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_day record;
    v_locked boolean;
begin
    perform awf._require_safe_owner();
    perform awf._check_retention(p_dry_run, p_max_days);
    if not p_dry_run then
        perform awf._require_read_committed();
        -- Before turn_events is locked: to wait for this lock blocks nobody.
        perform awf._try_rollup_lock(true);
    end if;
    return query select null::date, 'awf.rejected_events', null::bigint, r.events, r.action from awf._expire_rejected(p_dry_run) as r;
    for v_day in select d.* from awf._expired_days(p_max_days) as d loop
        if v_day.kept_for is not null then
            action := 'kept: ' || v_day.kept_for;
        elsif p_dry_run then
            action := 'would drop';
        else
            if v_day.attached and v_locked is null then
                v_locked := awf._try_events_lock();
            end if;
            action := case when v_day.attached and not v_locked then 'kept: locked' else awf._let_go(v_day.day) end;
        end if;
        day := v_day.day;
        table_name := v_day.table_name;
        bytes := v_day.bytes;
        events := v_day.events;
        return next;
    end loop;
end;
$$;
comment on function awf.apply_retention(boolean, integer) is
'Detaches and drops the partitions of days (UTC) that are more than events_keep_days old, the oldest first and at most p_max_days of
them: with each day go its events as a whole, while its rollups, exposures and reports stay. Nothing goes while that setting is not set.
Also deletes rejected events that are older than rejected_keep_days. With p_dry_run it only says what it would do.
Returns a row for each such day with its table, bytes, events (that the rollups count) and action: dropped, would drop, kept: not archived
(archive_required, or detached by an archive that has not finished), kept: waiting batches (refresh first), kept: restored, kept:
locked (somebody reads turn_events; the next run tries again, nobody waits longer than half a second), kept: next run (p_max_days);
and a row without a day for the rejected events: deleted, would delete.
Errors: WF106 (days would go from which events are still accepted; a transaction that is not READ COMMITTED), WF001 (p_dry_run,
p_max_days).
Example: SELECT * FROM awf.apply_retention(p_dry_run => true);';
