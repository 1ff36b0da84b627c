-- Takes everybody's rights on a table that is a partition no more, and records the day.
-- Called by _detach_day() under its locks.
-- Costs a look at the table's rights and one row.
create or replace function awf._close_detached(p_table regclass, p_day date)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._take_rights(p_table);
    execute format('comment on table %s is %L', p_table, format('Events of %s, detached from turn_events.', p_day));
    insert into awf.event_days as d (day, state, detached_at)
    values (p_day, 'detached', awf._now())
    on conflict (day) do update set
        state = excluded.state,
        detached_at = excluded.detached_at,
        -- It may have got events since it was archived.
        dropped_at = null, archived_at = null, archive_file = null, archive_rows = null, archive_sha256 = null, restored_at = null;
end;
$$;
comment on function awf._close_detached(regclass, date) is 'Revokes all rights on a detached table but the owner''s; the day becomes "detached" in event_days.';
