-- Makes the table of a dropped day anew, for its archive to be copied into.
-- Called by admins, in the transaction of the COPY and of close_restore().
-- Locks the day's row.
create or replace function awf.open_restore(p_day date, p_sha256 text)
returns text
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_name constant text := awf._partition_name(p_day);
    v_sha256 text;
begin
    perform awf._require_safe_owner();
    perform awf._lock_day(p_day, 'dropped');
    select d.archive_sha256 into v_sha256 from awf.event_days as d where d.day = p_day and d.archived_at is not null;
    if v_sha256 is distinct from p_sha256 or v_sha256 is null then
        raise exception using
            errcode = 'WF304',
            message = format('the file is not the archive of %s', p_day),
            detail = format('File: SHA-256 %s. Database: %s.', coalesce(p_sha256, 'NULL'), coalesce('SHA-256 ' || v_sha256, 'no archive')),
            hint = 'Give the folder of the file that the database remembers: SELECT * FROM awf.event_days.';
    end if;
    -- What somebody has begun and not closed. The events of a dropped day are nowhere but in the file.
    execute format('drop table if exists awf.%I', v_name);
    -- The indexes are made when the day is attached: one by one, after the rows.
    execute format('create table awf.%I (like awf.turn_events including all excluding indexes)', v_name);
    execute format('grant insert on awf.%I to %I', v_name, awf._caller());
    return format('awf.%I', v_name);
end;
$$;
comment on function awf.open_restore(date, text) is
'Makes the empty table of a dropped day whose archive has this SHA-256 and returns its name. Then, in the same transaction, COPY the rows
of the file into it and call close_restore().
Errors: WF304 (this is not the archive of the day), WF305 (the day is not dropped).
Example: SELECT awf.open_restore(''2025-01-15'', repeat(''0'', 64));';
