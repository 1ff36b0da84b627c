-- Attaches a day again whose archive was copied into its table, once the table holds what was archived.
-- Called by admins, in the transaction of open_restore() and the COPY.
-- Scans the table and makes its indexes; waits for a refresh at work. Players forgotten since are erased again.
create or replace function awf.close_restore(p_day date)
returns table (events bigint, erased_players integer, erased_events bigint)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_table record;
    v_archive record;
begin
    perform awf._require_safe_owner();
    perform awf._lock_day(p_day, 'dropped');
    if awf._table_of_day(p_day) is null then
        perform awf._day_refused(p_day, 'dropped', 'dropped, and opened by open_restore() in this transaction');
    end if;
    select a.rows, a.digest into v_archive
    from awf.archives as a
    inner join awf.event_days as d on a.day = d.day and a.sha256 = d.archive_sha256
    where d.day = p_day and d.archived_at is not null
    order by a.id desc
    limit 1;
    select a.rows, a.digest into v_table from awf._archive_digest(awf._table_of_day(p_day)) as a;
    if (v_table.rows, v_table.digest) is distinct from (v_archive.rows, v_archive.digest) then
        raise exception using
            errcode = 'WF304',
            message = format('what was copied is not what was archived of %s', p_day),
            detail = format(
                'Archived: %s events, digest %s. Copied: %s events, digest %s.',
                v_archive.rows, v_archive.digest, v_table.rows, v_table.digest
            ),
            hint = 'Roll back, and copy every row of the file once.';
    end if;
    events := v_table.rows;
    select r.players, r.events into erased_players, erased_events from awf._attach_day(p_day) as r;
    return next;
end;
$$;
comment on function awf.close_restore(date) is
'Checks that the table made by open_restore() holds the archived events, no more, no less and unchanged, and attaches it to turn_events.
Players forgotten since the archive was written are erased again. Returns the events copied, and how many players and events were erased.
Errors: WF304 (the table does not hold what was archived), WF305 (the day is not dropped, or was not opened).
Example: SELECT * FROM awf.close_restore(''2025-01-15'');';
