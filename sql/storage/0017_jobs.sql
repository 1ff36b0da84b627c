-- Jobs: what has to happen again and again, and what came of each run.

create table awf.jobs (
    name text primary key check (name ~ '^[a-z][a-z_]{0,39}$'),
    place integer not null,
    schedule text not null,
    every interval not null check (
        every between interval '1 second' and interval '366 days'
        and extract(year from every) = 0 and extract(month from every) = 0
    ),
    description text not null,
    enabled boolean not null default true,
    updated_at timestamptz not null default now()
);
comment on table awf.jobs is
'What has to happen again and again. A job is a row here and a function awf._job_<name>() that returns what it counted. Whoever runs one
locks its row until the end of the transaction: a job runs once at a time.';
comment on column awf.jobs.name is 'Name of the job.';
comment on column awf.jobs.place is 'Its place in a round.';
comment on column awf.jobs.schedule is 'When pg_cron runs it, in pg_cron''s syntax; its clock is UTC unless the server says otherwise.';
comment on column awf.jobs.every is 'How often the other ways run it: once in each stretch of this length, counted from a Monday, midnight UTC.';
comment on column awf.jobs.description is 'What it does and what it counts.';
comment on column awf.jobs.enabled is 'False: nobody runs it.';
comment on column awf.jobs.updated_at is 'When the row last changed.';

insert into awf.jobs (name, place, schedule, every, description) values
('experiments', 10, '* * * * *', '1 minute', 'Stops experiments whose end has come; counts them.'),
('refresh', 20, '* * * * *', '1 minute', 'Adds new batches to the rollups, for half a minute at most; counts their events.'),
('partitions', 30, '17 0 * * *', '1 day', 'Makes the partitions of the days ahead; counts those that it made.'),
-- The last of a round: until the transaction ends it keeps everybody from the events.
('retention', 90, '37 2 * * *', '1 day', 'Lets go of events that have been kept long enough; counts the days.');

create table awf.job_runs (
    id bigint generated always as identity primary key,
    job text not null,
    started_at timestamptz not null,
    duration_ms numeric not null,
    rows bigint,
    code text,
    error text,
    scheduler text not null
);
comment on table awf.job_runs is
'One row for each run of a job, kept for job_log_keep_days, the newest of each job for ever. A run whose session was killed has none.';
comment on column awf.job_runs.id is 'Number of the run.';
comment on column awf.job_runs.job is 'jobs.name.';
comment on column awf.job_runs.started_at is 'When it began.';
comment on column awf.job_runs.duration_ms is 'How long it took, milliseconds.';
comment on column awf.job_runs.rows is 'What the job counted, as its description says; NULL when it failed.';
comment on column awf.job_runs.code is 'SQLSTATE of its failure; NULL when it went well. 57014: it was cancelled, by hand or by statement_timeout.';
comment on column awf.job_runs.error is 'Message of its failure, without values that could name a player; NULL when it went well.';
comment on column awf.job_runs.scheduler is 'Who ran it: pg_cron, awf-pg (the loop), or the role that called the function; as the caller says.';
create index job_runs_job on awf.job_runs (job, id);

insert into awf.settings (name, value, type, max_value, description) values
('job_log_keep_days', '30', 'number', 36500, 'How long the runs of jobs stay in their log, in days; not set: for ever.');

alter table awf.jobs enable row level security;
alter table awf.job_runs enable row level security;
create policy readers on awf.jobs for select to current_user using (true);
create policy readers on awf.job_runs for select to current_user using (true);
