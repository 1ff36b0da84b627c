-- Takes the partition of a day out of turn_events; its table stays, and nobody but the owner may touch it.
-- Called by apply_retention() and the archive, in a short transaction: until its end nobody reads or writes turn_events.
-- Locks turn_events (ACCESS EXCLUSIVE); gives up after half a second of waiting, because everybody would queue behind it.
create or replace function awf._detach_day(p_day date)
returns regclass
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set lock_timeout = '500ms'
as $$
declare
    v_table regclass;
begin
    perform awf._require_day_closed(p_day);
    v_table := awf._detached_table(p_day);
    if v_table is not null then
        return v_table;
    end if;
    if awf._partition_of(p_day) is null then
        perform awf._require_day_present(p_day);
        return null;
    end if;
    perform awf._require_read_committed();
    -- A refusal to wait takes back the locks of this block alone.
    begin
        -- The recompute of a day must not lose its events in between.
        perform awf._try_rollup_lock(true);
        lock table only awf.turn_events in access exclusive mode;
        -- Not FOR UPDATE: a REPEATABLE READ transaction that began before would make the day anew, now it is told to begin again.
        update awf.locks as l set name = l.name where l.name = 'partitions';
        -- Whoever had a batch of the day open has finished.
        perform awf._require_day_closed(p_day);
        v_table := awf._partition_of(p_day);
        if v_table is not null then
            -- Whoever uses the partition alone, a vacuum say, is not waited for while all of turn_events is locked.
            execute format('lock table %s in access exclusive mode nowait', v_table);
            execute format('alter table awf.turn_events detach partition %s', v_table);
            perform awf._close_detached(v_table, p_day);
        end if;
    exception
        when lock_not_available or deadlock_detected then
            return null;
    end;
    -- Another session may have been faster.
    return coalesce(v_table, awf._detached_table(p_day));
end;
$$;
comment on function awf._detach_day(date) is
'Detaches the partition of a day (UTC) and returns its table; the same table for a day that was detached already; NULL when a lock
could not be had (try later) or the day has no partition. Raises WF302 for a day that is not over or has waiting batches, WF301 for
one that was dropped.';
