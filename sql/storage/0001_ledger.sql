-- What has been installed, and who was given which rights.
-- Every table has row-level security; the policy "readers" names the roles that grant_usage() has admitted.

create table awf.schema_steps (
    step integer primary key,
    name text not null,
    sha256 text not null,
    version text not null,
    applied_at timestamptz not null default now(),
    applied_by text not null default current_user
);
comment on table awf.schema_steps is 'Ledger of the storage steps that migrate() has run; one row a step.';
comment on column awf.schema_steps.step is 'Number of the step; steps run in this order, once.';
comment on column awf.schema_steps.name is 'What the step makes.';
comment on column awf.schema_steps.sha256 is 'SHA-256 (hex) of the text that was run.';
comment on column awf.schema_steps.version is 'Version of awf that ran the step.';
comment on column awf.schema_steps.applied_at is 'When the step ran.';
comment on column awf.schema_steps.applied_by is 'Role that ran it.';

create table awf.role_grants (
    role_name name not null,
    kind text not null check (kind in ('reader', 'analyst', 'writer', 'admin')),
    granted_at timestamptz not null default now(),
    granted_by text not null,
    primary key (role_name, kind)
);
comment on table awf.role_grants is
'Roles admitted by grant_usage(). Kept, so that new functions, tables and partitions get the same grants.';
comment on column awf.role_grants.role_name is 'The database role.';
comment on column awf.role_grants.kind is 'reader (reports), analyst (also raw rows), writer (ingest), admin (everything).';
comment on column awf.role_grants.granted_at is 'When the right was given.';
comment on column awf.role_grants.granted_by is 'Role that gave it.';

-- Advisory locks are open to every role of the database; a row of this table can be locked by its owner alone.
create table awf.locks (
    name text primary key
);
comment on table awf.locks is 'Rows to lock: one task at a time.';
comment on column awf.locks.name is 'Task: rollups (refresh and recompute) or partitions (making one).';
insert into awf.locks (name) values ('rollups'), ('partitions');

alter table awf.schema_steps enable row level security;
alter table awf.role_grants enable row level security;
alter table awf.locks enable row level security;
create policy readers on awf.schema_steps for select to current_user using (true);
create policy readers on awf.role_grants for select to current_user using (true);
create policy readers on awf.locks for select to current_user using (true);
