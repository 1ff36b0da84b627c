-- Archives: the files that days of events were written to, and how their rows can be known again.

create table awf.archives (
    id bigint generated always as identity primary key,
    day date not null,
    file text not null check (length(file) between 1 and 200),
    rows bigint not null check (rows >= 0),
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    digest numeric not null,
    format integer not null,
    archived_at timestamptz not null,
    archived_by text not null
);
comment on table awf.archives is
'One row for each file that a day was archived to. What the database says of a file lets nobody put other events into its place.';
comment on column awf.archives.id is 'Number of the archive.';
comment on column awf.archives.day is 'Day, UTC.';
comment on column awf.archives.file is 'Name of the file, without its folder.';
comment on column awf.archives.rows is 'Events in the file.';
comment on column awf.archives.sha256 is 'SHA-256 of the file, 64 hexadecimal digits.';
comment on column awf.archives.digest is 'Sum over its events of the first 8 bytes of each one''s SHA-256, computed by the database.';
comment on column awf.archives.format is 'Which columns the file has; 1 so far.';
comment on column awf.archives.archived_at is 'When the file was verified against the events.';
comment on column awf.archives.archived_by is 'Role that did it.';
create index archives_day on awf.archives (day);

alter table awf.archives enable row level security;
create policy readers on awf.archives for select to current_user using (true);
