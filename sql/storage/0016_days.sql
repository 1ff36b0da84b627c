-- Days whose events left awf.turn_events, and what governs partitions: how far ahead they are made, when they go.

create table awf.event_days (
    day date primary key,
    state text not null check (state in ('detached', 'dropped', 'restored')),
    detached_at timestamptz,
    dropped_at timestamptz,
    archived_at timestamptz,
    archive_file text,
    archive_rows bigint,
    archive_sha256 text check (archive_sha256 ~ '^[0-9a-f]{64}$'),
    restored_at timestamptz
);
comment on table awf.event_days is
'One row for each day (UTC) whose partition is no longer attached to turn_events, or once was not. A day that is not listed never left.';
comment on column awf.event_days.day is 'Day, UTC.';
comment on column awf.event_days.state is
'detached (its events are in a table of their own), dropped (they are gone from the database) or restored (they are back).';
comment on column awf.event_days.detached_at is 'When its partition was last detached.';
comment on column awf.event_days.dropped_at is 'When that table was dropped; NULL while it is there.';
comment on column awf.event_days.archived_at is 'When its events, as they were detached, were written to a file and verified; NULL for never.';
comment on column awf.event_days.archive_file is 'Name of that file.';
comment on column awf.event_days.archive_rows is 'Events in the file.';
comment on column awf.event_days.archive_sha256 is 'SHA-256 of the file, 64 hexadecimal digits.';
comment on column awf.event_days.restored_at is 'When its events were brought back.';

alter table awf.event_days enable row level security;
create policy readers on awf.event_days for select to current_user using (true);

-- Days that somebody let go by hand: they have totals, but no partition.
with days as (
    select distinct
        t.day,
        to_regclass(format('awf.turn_events_%s', to_char(t.day, 'YYYYMMDD'))) as relation
    from awf.daily_totals as t
)

insert into awf.event_days (day, state, detached_at, dropped_at)
select
    d.day,
    case when d.relation is null then 'dropped' else 'detached' end,
    now(),
    case when d.relation is null then now() end
from days as d
where not exists (
    select from pg_catalog.pg_inherits as i
    where i.inhparent = 'awf.turn_events'::regclass and i.inhrelid = d.relation
);

alter table awf.settings
drop constraint settings_type_check,
add constraint settings_type_check check (type in ('string', 'number', 'array', 'boolean'));
insert into awf.settings (name, value, type, max_value, description) values
('partitions_ahead_days', '7', 'number', 90, 'Days after today for which partitions are made ahead.'),
('events_keep_days', null, 'number', 36500, 'Days for which events are kept before their day is dropped; not set: for good.'),
('archive_required', 'false', 'boolean', null, 'Drop only days whose events are archived.'),
('rejected_keep_days', null, 'number', 36500, 'Days for which rejected events are kept; not set: for good.');

alter table awf.exposures set (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);
-- A row changes when it is rolled up, which its partial index shows, and is deleted in the end.
alter table awf.ingest_log set (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_analyze_scale_factor = 0.05
);
