-- Attaches the table of a day to turn_events again, with no more rights on it than any partition has.
-- Called by attach_day() and close_restore(), which hold the day's row.
-- Waits for a refresh at work and recomputes the day; SHARE UPDATE EXCLUSIVE on turn_events until the transaction ends.
create or replace function awf._attach_day(p_day date)
returns table (players integer, events bigint)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
declare
    v_table constant regclass := awf._table_of_day(p_day);
begin
    perform awf._try_rollup_lock(true);
    perform from awf.locks as l where l.name = 'partitions' for update;
    perform awf._take_rights(v_table);
    execute format(
        'alter table awf.turn_events attach partition %s for values from (%L) to (%L)',
        v_table, p_day::timestamp at time zone 'UTC', (p_day + 1)::timestamp at time zone 'UTC'
    );
    execute format('comment on table %s is null', v_table);
    perform awf._protect_partition(v_table);
    update awf.event_days as d set state = 'restored', dropped_at = null, restored_at = awf._now() where d.day = p_day;
    -- The table and the file do not know of whoever was forgotten since. Sessions that he shared show the other players again.
    return query select r.players, r.events from awf.reapply_erasures() as r;
    perform awf._recompute_day(p_day);
end;
$$;
comment on function awf._attach_day(date) is
'Attaches the detached or rebuilt table of a day, sets its state to restored, and erases again whoever was forgotten.';
