-- Files whose lines have no time of their own: what makes a second run of them harmless.

create table awf.ingest_sources (
    name text primary key check (length(name) between 1 and 200),
    digest text not null unique check (digest ~ '^[0-9a-f]{64}$'),
    ts timestamptz not null,
    opened_at timestamptz not null default now(),
    closed_at timestamptz,
    role_name name not null
);
comment on table awf.ingest_sources is
'Files with lines that have no ts, one row a file: such lines are known again only by the file, so each is ingested once.';
comment on column awf.ingest_sources.name is 'What awf-pg ingest calls the file: its base name, or --source.';
comment on column awf.ingest_sources.digest is 'SHA-256 of its content, 64 hexadecimal digits.';
comment on column awf.ingest_sources.ts is 'The time of every line that has none.';
comment on column awf.ingest_sources.opened_at is 'When the first run came upon such a line.';
comment on column awf.ingest_sources.closed_at is 'When a run reached the end of the file; NULL while none has.';
comment on column awf.ingest_sources.role_name is 'Who opened it.';

alter table awf.ingest_sources enable row level security;
create policy readers on awf.ingest_sources for select to current_user using (true);
