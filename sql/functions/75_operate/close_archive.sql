-- Remembers the file that a day was written to, once it holds what the table holds.
-- Called by admins, after the file is written and read back.
-- Scans the table of the day; locks the day's row.
create or replace function awf.close_archive(
    p_day date, p_file text, p_rows bigint, p_sha256 text, p_digest numeric, p_format integer default 1
)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_table record;
begin
    perform awf._require_safe_owner();
    if p_sha256 !~ '^[0-9a-f]{64}$' or length(p_file) not between 1 and 200 or p_format <> 1
        or num_nulls(p_file, p_rows, p_sha256, p_digest, p_format) > 0 then
        raise exception using
            errcode = 'WF001',
            message = format('"%s" is no description of an archive', left(p_file, 200)),
            hint = 'Give the name of the file, its rows, its SHA-256 as 64 hexadecimal digits, the digest of its rows and format 1.';
    end if;
    perform awf._lock_day(p_day, 'detached');
    select a.rows, a.digest into v_table from awf._archive_digest(awf._table_of_day(p_day)) as a;
    if (v_table.rows, v_table.digest) is distinct from (p_rows, p_digest) then
        raise exception using
            errcode = 'WF304',
            message = format('%s does not hold the events of %s', p_file, p_day),
            detail = format(
                'File: %s events, digest %s. Database: %s events, digest %s.', p_rows, p_digest, v_table.rows, v_table.digest
            ),
            hint = 'Nothing was dropped. Write the file again; where it belongs to another database, choose another folder.';
    end if;
    insert into awf.archives (day, file, rows, sha256, digest, format, archived_at, archived_by)
    values (p_day, p_file, p_rows, p_sha256, p_digest, p_format, awf._now(), awf._caller());
    update awf.event_days as d
    set archived_at = awf._now(), archive_file = p_file, archive_rows = p_rows, archive_sha256 = p_sha256
    where d.day = p_day;
    if awf._caller() <> current_user then
        execute format('revoke all on %s from %I', awf._table_of_day(p_day), awf._caller());
    end if;
end;
$$;
comment on function awf.close_archive(date, text, bigint, text, numeric, integer) is
'Remembers that a day was written to a file of so many events, SHA-256 and digest, after it has counted the events of the detached
table itself and computed their digest. The caller can read that table no more. drop_archived_day() may follow.
Errors: WF001 (an argument is missing or malformed), WF304 (the file does not hold what the table holds), WF305 (the day is not detached).
Example: SELECT awf.close_archive(''2025-01-15'', ''turn_events_20250115.parquet'', 0, repeat(''0'', 64), 0);';
