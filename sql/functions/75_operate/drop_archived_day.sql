-- Drops the table of a day whose archive is there.
-- Called by admins, who have just seen the file and its checksum.
-- Locks the table; frees its space at the commit.
create or replace function awf.drop_archived_day(p_day date, p_sha256 text)
returns boolean
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_day record;
begin
    perform awf._require_safe_owner();
    perform awf._lock_day(p_day, 'detached');
    select d.archived_at, d.archive_file, d.archive_sha256 into v_day from awf.event_days as d where d.day = p_day;
    if v_day.archived_at is null or v_day.archive_sha256 is distinct from p_sha256 then
        raise exception using
            errcode = 'WF304',
            message = format('%s is not archived in a file with the SHA-256 %s', p_day, coalesce(p_sha256, 'NULL')),
            detail = format('Archived as: %s.', coalesce(v_day.archive_file || ', SHA-256 ' || v_day.archive_sha256, 'nothing')),
            hint = 'Nothing was dropped. Archive the day first, and give the SHA-256 of the file as it is on the disk now.';
    end if;
    return awf._drop_day(p_day);
end;
$$;
comment on function awf.drop_archived_day(date, text) is
'Drops the detached table of a day whose archive has this SHA-256: that of the file as it is now, which the caller has computed. False
when somebody was in the way for half a second: try again.
Errors: WF304 (the day is not archived in such a file), WF305 (the day is not detached).
Example: SELECT awf.drop_archived_day(''2025-01-15'', repeat(''0'', 64));';
