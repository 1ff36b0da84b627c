-- Drops the detached table of a day.
-- Called by apply_retention() and the archive, after _detach_day().
-- Locks that table, which nobody but the owner can use; gives up after half a second of waiting.
create or replace function awf._drop_day(p_day date)
returns boolean
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set lock_timeout = '500ms'
as $$
declare
    v_state text;
    v_archived boolean;
    v_table regclass;
begin
    select d.state, d.archived_at is not null into v_state, v_archived
    from awf.event_days as d
    where d.day = p_day
    for update;
    if v_state = 'dropped' then
        return true;
    elsif v_state is distinct from 'detached' then
        raise exception using
            errcode = 'WF302',
            message = format('the day %s is not detached', coalesce(p_day::text, 'NULL')),
            hint = 'Only a detached day can be dropped: table awf.event_days.';
    elsif not v_archived and awf._setting_flag('archive_required') then
        raise exception using
            errcode = 'WF303',
            message = format('the events of %s are not archived', p_day),
            detail = 'The setting archive_required is true.',
            hint = 'Archive the day first, or set archive_required to false.';
    end if;
    v_table := awf._detached_table(p_day);
    if v_table is not null then
        execute format('drop table %s', v_table);
    end if;
    update awf.event_days as d set state = 'dropped', dropped_at = awf._now() where d.day = p_day;
    return true;
exception
    when lock_not_available or deadlock_detected then
        return false;
end;
$$;
comment on function awf._drop_day(date) is
'Drops the table of a detached day (UTC); true when it is gone, false when a lock could not be had (try later). Raises WF302 for a day
that is not detached, WF303 for one that must be archived first.';
