-- The days that can be archived or whose archive has to be finished, the oldest first.
-- Called by admins; archive.run() works along it.
-- Costs a look at the catalogue and at the waiting batches.
create or replace function awf.archive_days(p_before date default null)
returns table (
    day date, state text, bytes bigint, rows_estimate bigint, waiting_batches bigint, archive_file text, archive_sha256 text,
    known_sha256 text[]
)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_today constant date := (awf._now() at time zone 'UTC')::date;
    v_before constant date := coalesce(p_before, v_today - ceil(awf._setting_number('events_keep_days'))::integer);
begin
    if p_before is null then
        perform awf._check_retention(true, 0);
    end if;
    if v_before is null or not isfinite(v_before) then
        raise exception using
            errcode = 'WF002',
            message = 'the day before which to archive is missing',
            hint = 'Give the first day that stays, such as 2025-02-01, or set events_keep_days: awf.set_setting().';
    end if;
    return query
    select
        s.day, s.state, pg_total_relation_size(s.relation),
        (select nullif(c.reltuples, -1)::bigint from pg_catalog.pg_class as c where c.oid = s.relation),
        (select count(*) from awf.ingest_log as l where l.rolled_up_at is null and l.day = s.day),
        case when s.state = 'archived' then s.archive_file end,
        case when s.state = 'archived' then s.archive_sha256 end,
        array(select a.sha256 from awf.archives as a where a.day = s.day order by a.id)
    from (
        select
            t.day, t.relation, d.archive_file, d.archive_sha256,
            case when t.attached then 'attached' when d.archived_at is null then 'detached' else 'archived' end as state
        from awf._event_tables() as t
        left join awf.event_days as d using (day)
    ) as s
    -- A day that is not over gets further events for certain.
    where s.day < least(v_before, v_today) and s.relation is not null
    order by s.day;
end;
$$;
comment on function awf.archive_days(date) is
'Days (UTC) before p_before (by default those that events_keep_days lets go), and before today, whose events are in the database, the oldest first. state: attached (in turn_events),
detached (in a table of their own, not yet archived) or archived (the file is verified, the table not yet dropped). bytes with indexes;
rows_estimate as of the last ANALYZE, NULL before one; waiting_batches that no refresh has added yet; known_sha256 of all files that the day was ever
archived to.
Errors: WF002 (no day, and events_keep_days is not set), WF106 (no day, and events_keep_days is smaller than ingest_max_age_days).
Example: SELECT * FROM awf.archive_days(''2025-02-01'');';
