\echo Use "CREATE EXTENSION awf" to load this file. \quit
-- awf 0.1.0, assembled by sql/build.py from sql/: edit the sources, not this file.

-- What CREATE EXTENSION sets for its scripts: SQL functions may name tables that awf.migrate() makes later.
set local check_function_bodies = off;
set local search_path = pg_catalog, pg_temp;

-- 00_dropped.sql
-- Functions of earlier versions that are gone or whose signature changed are dropped here, before the new ones are made.
-- There are none yet.

-- 09_generated.sql
create or replace function awf.version()
returns text
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $awf_version$select '0.1.0'$awf_version$;
comment on function awf.version() is 'The version of the functions.';

create or replace function awf._storage_steps()
returns table (step int, name text, sha256 text, body text)
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $awf__storage_steps$
values
(1, 'ledger', '98657248f5405a0e8392cf0386d286e2f46ee7b56833f2c1933aba375b915327', $awf_step_0001$-- What has been installed, and who was given which rights.
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
$awf_step_0001$),
(2, 'settings', '71c8e8927ac1c7b1d5153237acc167d4952e822c45d4d6437c282de65dc5795b', $awf_step_0002$-- What an operator sets: database-wide settings, the knobs that experiments may turn, the metrics of a turn.

create table awf.settings (
    name text primary key,
    value jsonb,
    type text not null check (type in ('string', 'number')),
    max_value numeric,
    description text not null,
    updated_at timestamptz not null default now()
);
comment on table awf.settings is 'Database-wide settings; changed with set_setting().';
comment on column awf.settings.name is 'Name of the setting.';
comment on column awf.settings.value is 'Its value; NULL means: not set.';
comment on column awf.settings.type is 'JSON type that the value must have.';
comment on column awf.settings.max_value is 'Largest value of a number.';
comment on column awf.settings.description is 'What the setting does, with its unit.';
comment on column awf.settings.updated_at is 'When it last changed.';

insert into awf.settings (name, value, type, max_value, description) values
('hash_basis', '"session"', 'string', null, 'Unit that new experiments randomize by: session or player.'),
('model_max_output_tokens', null, 'number', 2147483647, 'Budget of the model: bounds maxOutputTokens in every experiment.'),
('tool_max_calls_per_turn', null, 'number', 2147483647, 'Budget of tool calls: bounds toolMaxCalls in every experiment.'),
('ingest_max_age_days', '3650', 'number', 36500, 'Oldest accepted event, in days before now.'),
('ingest_max_future_minutes', '1440', 'number', 5256000, 'Newest accepted event, in minutes after now.');

-- Two prepared pads instead of the key: an HMAC is then two sha256() calls, without pgcrypto.
create table awf.player_hash_key (
    singleton boolean primary key default true check (singleton),
    inner_pad bytea not null check (octet_length(inner_pad) = 64),
    outer_pad bytea not null check (octet_length(outer_pad) = 64),
    set_at timestamptz not null default now()
);
comment on table awf.player_hash_key is
'The secret of hash_player(). No role may read it; leave it out of dumps (pg_dump --exclude-table-data=awf.player_hash_key).';
comment on column awf.player_hash_key.singleton is 'Always true: there is one key.';
comment on column awf.player_hash_key.inner_pad is 'HMAC key, padded to 64 bytes and XORed with 0x36 (RFC 2104).';
comment on column awf.player_hash_key.outer_pad is 'HMAC key, padded to 64 bytes and XORed with 0x5c (RFC 2104).';
comment on column awf.player_hash_key.set_at is 'When the key was stored.';

create table awf.knobs (
    name text primary key,
    type text not null check (type in ('integer', 'number', 'boolean')),
    min_value numeric,
    max_value numeric,
    budget_setting text references awf.settings (name),
    description text not null,
    check (min_value <= max_value),
    check (type <> 'boolean' or (min_value is null and max_value is null and budget_setting is null))
);
comment on table awf.knobs is 'Runtime parameters that a variation may set. A new knob is a new row.';
comment on column awf.knobs.name is 'Name of the parameter, as the runtime reads it.';
comment on column awf.knobs.type is 'JSON type of its values.';
comment on column awf.knobs.min_value is 'Smallest allowed value; NULL means: no bound.';
comment on column awf.knobs.max_value is 'Largest allowed value; NULL means: no bound.';
comment on column awf.knobs.budget_setting is 'Setting that bounds the knob from above as well.';
comment on column awf.knobs.description is 'What the knob does, with its unit.';

insert into awf.knobs (name, type, min_value, max_value, budget_setting, description) values
('maxOutputTokens', 'integer', 1, 200000, 'model_max_output_tokens', 'Output token budget of a turn.'),
('maxActs', 'integer', 1, 100, null, 'Most acts in a turn.'),
('toolMaxCalls', 'integer', 0, 1000, 'tool_max_calls_per_turn', 'Most tool calls in a turn.'),
('timeAdvanceTicks', 'integer', 0, 100000, null, 'Game ticks that a turn advances.'),
('txtSentenceCap', 'integer', 1, 1000, null, 'Most sentences in the text of a turn.'),
('maxChoices', 'integer', 1, 100, null, 'Most choices offered after a turn.');

create table awf.metrics (
    id smallint primary key,
    name text not null unique,
    snake_name text not null generated always as (lower(regexp_replace(name, '([a-z])([A-Z])', '\1_\2', 'g'))) stored unique,
    column_name text not null unique,
    unit text not null,
    scale integer not null,
    description text not null
);
comment on table awf.metrics is 'The standard metrics of a turn: their public names, storage columns and units.';
comment on column awf.metrics.id is 'Number of the metric in the rollups.';
comment on column awf.metrics.name is 'Name in the metrics document of an event.';
comment on column awf.metrics.snake_name is 'The same name in snake_case, which events may use too.';
comment on column awf.metrics.column_name is 'Column of turn_events.';
comment on column awf.metrics.unit is 'Unit in which it is shown.';
comment on column awf.metrics.scale is 'Stored whole units per shown unit: 1000 for latencies (stored in microseconds).';
comment on column awf.metrics.description is 'What is measured.';

insert into awf.metrics (id, name, column_name, unit, scale, description) values
(0, 'failed', 'failed', 'turns', 1, 'Turns that failed; its count is the number of turns.'),
(1, 'turnLatencyMs', 'turn_latency_us', 'ms', 1000, 'Wall time of the turn.'),
(2, 'modelLatencyMs', 'model_latency_us', 'ms', 1000, 'Time spent in the language model.'),
(3, 'bundleMs', 'bundle_us', 'ms', 1000, 'Time spent assembling the bundle.'),
(4, 'bundleTokens', 'bundle_tokens', 'tokens', 1, 'Tokens sent to the model.'),
(5, 'outputTokens', 'output_tokens', 'tokens', 1, 'Tokens the model generated.'),
(6, 'retries', 'retries', 'count', 1, 'Repeated model calls.'),
(7, 'fallbacks', 'fallbacks', 'count', 1, 'Fallback answers used.'),
(8, 'toolCalls', 'tool_calls', 'count', 1, 'Tool calls made.'),
(9, 'acts', 'acts', 'count', 1, 'Acts performed.'),
(10, 'choices', 'choices', 'count', 1, 'Choices offered.'),
(11, 'timeAdvanceTicks', 'time_advance_ticks', 'ticks', 1, 'Game ticks advanced.');

alter table awf.settings enable row level security;
alter table awf.player_hash_key enable row level security;
alter table awf.knobs enable row level security;
alter table awf.metrics enable row level security;
create policy readers on awf.settings for select to current_user using (true);
create policy readers on awf.knobs for select to current_user using (true);
create policy readers on awf.metrics for select to current_user using (true);
$awf_step_0002$),
(3, 'experiments', 'b6217346e561a487910ccea652af728c5f48e3d830379af9572a4dfcbc68a0f2', $awf_step_0003$-- Experiments and their variations.

create table awf.experiments (
    key text primary key check (key ~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$'),
    name text not null check (name <> ''),
    status text not null default 'draft' check (status in ('draft', 'running', 'stopped')),
    start_at timestamptz,
    stop_at timestamptz,
    hash_basis text not null default 'session' check (hash_basis in ('session', 'player')),
    allocations jsonb not null default '[]'::jsonb,
    guardrails jsonb not null default '{}'::jsonb,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    id bigint generated always as identity unique,
    hash_seed text not null,
    hash_version smallint not null default 2 check (hash_version in (1, 2)),
    coverage double precision not null default 1 check (coverage between 0 and 1),
    check (stop_at > start_at)
);
comment on table awf.experiments is 'Experiments, one row each; changed through functions only.';
comment on column awf.experiments.key is 'Public name, 1 to 63 characters.';
comment on column awf.experiments.name is 'Title for people.';
comment on column awf.experiments.status is 'draft, running or stopped.';
comment on column awf.experiments.start_at is 'In force from this moment on (inclusive); NULL until started.';
comment on column awf.experiments.stop_at is 'In force up to this moment (exclusive); NULL means: no end.';
comment on column awf.experiments.hash_basis is 'Unit of randomization: session (session id) or player (player hash).';
comment on column awf.experiments.allocations is '[{"variation": key, "percent": number}, ...]; percents sum to 100.';
comment on column awf.experiments.guardrails is '{knob: maximum} or {knob: {"min": number, "max": number}}.';
comment on column awf.experiments.created_at is 'When it was created.';
comment on column awf.experiments.updated_at is 'When it last changed.';
comment on column awf.experiments.id is 'Surrogate: a key that is created again gets a new one and starts afresh.';
comment on column awf.experiments.hash_seed is 'Seed of the assignment hash; the key unless set.';
comment on column awf.experiments.hash_version is 'Version of the GrowthBook hash: 1 or 2.';
comment on column awf.experiments.coverage is 'Share of the units that take part, 0 to 1.';

-- Outlives its experiment, so that events of a deleted experiment still show their keys.
create table awf.variation_ids (
    id integer generated always as identity primary key,
    experiment_id bigint not null,
    experiment_key text not null,
    variation_key text not null,
    unique (experiment_id, variation_key)
);
comment on table awf.variation_ids is 'Dictionary of variations: the small number that events and rollups carry. Rows are never removed.';
comment on column awf.variation_ids.id is 'The number.';
comment on column awf.variation_ids.experiment_id is 'experiments.id at the time.';
comment on column awf.variation_ids.experiment_key is 'Key of the experiment.';
comment on column awf.variation_ids.variation_key is 'Key of the variation.';

create table awf.experiment_variations (
    experiment_key text not null references awf.experiments (key) on delete cascade,
    variation_key text not null check (variation_key ~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$'),
    params jsonb not null default '{}'::jsonb check (jsonb_typeof(params) = 'object'),
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    id integer not null unique references awf.variation_ids (id),
    primary key (experiment_key, variation_key)
);
comment on table awf.experiment_variations is 'Variations of the experiments, one row each; changed through functions only.';
comment on column awf.experiment_variations.experiment_key is 'Experiment it belongs to.';
comment on column awf.experiment_variations.variation_key is 'Public name within the experiment.';
comment on column awf.experiment_variations.params is '{knob: value}: what the variation sets.';
comment on column awf.experiment_variations.created_at is 'When it was created.';
comment on column awf.experiment_variations.updated_at is 'When it last changed.';
comment on column awf.experiment_variations.id is 'Its number in variation_ids.';

create table awf.config_state (
    singleton boolean primary key default true check (singleton),
    revision bigint not null default 1
);
comment on table awf.config_state is 'Counts the changes of the configuration that active_config() shows.';
comment on column awf.config_state.singleton is 'Always true: there is one row.';
comment on column awf.config_state.revision is 'Goes up with every change of an experiment, a variation, a knob or a setting.';
insert into awf.config_state default values;

alter table awf.experiments enable row level security;
alter table awf.variation_ids enable row level security;
alter table awf.experiment_variations enable row level security;
alter table awf.config_state enable row level security;
create policy readers on awf.experiments for select to current_user using (true);
create policy readers on awf.variation_ids for select to current_user using (true);
create policy readers on awf.experiment_variations for select to current_user using (true);
create policy readers on awf.config_state for select to current_user using (true);
$awf_step_0003$),
(4, 'events', '6dc816ce7d3efd6000234b63628499257c34ad000f72b312693ad78f617b0297', $awf_step_0004$-- Turn events: dictionaries, the log of ingest batches, the events by day, and what was refused.

create table awf.dimensions (
    id integer generated always as identity primary key,
    kind text not null check (kind in ('world', 'adventure', 'locale', 'model')),
    value text not null check (length(value) between 1 and 200),
    unique (kind, value)
);
comment on table awf.dimensions is 'Dictionary of the texts that events repeat: worlds, adventures, locales, models.';
comment on column awf.dimensions.id is 'The number that events and rollups carry.';
comment on column awf.dimensions.kind is 'world, adventure, locale or model.';
comment on column awf.dimensions.value is 'The text.';

create table awf.ingest_log (
    batch_id bigint generated always as identity primary key,
    day date not null,
    path text not null check (path in ('direct', 'careful', 'insert')),
    rows integer,
    duplicates integer,
    client text not null default current_setting('application_name'),
    role_name text not null,
    opened_at timestamptz not null default now(),
    xid xid8 not null default pg_current_xact_id(),
    rolled_up_at timestamptz,
    refresh_id bigint
);
comment on table awf.ingest_log is
'One row for each day of each ingesting transaction; its events carry the batch_id. A refresh claims rows not yet rolled up.';
comment on column awf.ingest_log.batch_id is 'Number of the batch.';
comment on column awf.ingest_log.day is 'Day (UTC) of its events.';
comment on column awf.ingest_log.path is 'direct (COPY into the partition), careful (staging) or insert (single rows).';
comment on column awf.ingest_log.rows is 'Events: announced by the client (direct), stored (careful), NULL (insert).';
comment on column awf.ingest_log.duplicates is 'Events left out because they were already stored (careful).';
comment on column awf.ingest_log.client is 'application_name of the writer.';
comment on column awf.ingest_log.role_name is 'Role of the writer.';
comment on column awf.ingest_log.opened_at is 'Time of the transaction.';
comment on column awf.ingest_log.xid is 'Transaction that opened it; nobody else may write under this batch.';
comment on column awf.ingest_log.rolled_up_at is 'When a refresh added its events to the rollups.';
comment on column awf.ingest_log.refresh_id is 'The refresh that claimed it.';
create index ingest_log_waiting on awf.ingest_log (xid, day) where rolled_up_at is null;
create index ingest_log_refresh on awf.ingest_log (refresh_id);
create sequence awf.refresh_id_seq;

create table awf.turn_events (
    ts timestamptz not null,
    created_at timestamptz not null default now(),
    batch_id bigint not null default currval('awf.ingest_log_batch_id_seq'::regclass),
    id uuid not null,
    world_id integer not null,
    adventure_id integer not null,
    locale_id integer not null,
    model_id integer,
    turn_latency_us integer,
    model_latency_us integer,
    bundle_us integer,
    bundle_tokens integer,
    output_tokens integer,
    retries integer,
    fallbacks integer,
    tool_calls integer,
    acts integer,
    choices integer,
    time_advance_ticks integer,
    failed boolean not null default false,
    player_hash bytea not null,
    session_id text not null,
    assignments integer[],
    extra jsonb,
    primary key (id, ts),
    constraint ts_is_finite check (isfinite(ts)),
    constraint player_hash_is_32_bytes check (octet_length(player_hash) = 32),
    constraint session_id_is_short check (length(session_id) between 1 and 200),
    constraint metrics_are_not_negative check (
        least(
            turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens,
            retries, fallbacks, tool_calls, acts, choices, time_advance_ticks
        ) >= 0
    ),
    constraint assignments_are_a_list check (array_ndims(assignments) = 1 and array_position(assignments, null) is null),
    constraint extra_is_numbers_and_booleans check (
        jsonb_typeof(extra) = 'object'
        and not jsonb_path_exists(extra, 'strict $.* ? (@.type() != "number" && @.type() != "boolean")', '{}', true)
    ),
    constraint extra_is_small check (octet_length(extra::text) <= 8192)
) partition by range (ts);
comment on table awf.turn_events is
'Player turns, partitioned by day (UTC). Writers COPY into a day''s partition that open_batch() names; analytics_events is the face to read.';
comment on column awf.turn_events.ts is 'When the turn happened.';
comment on column awf.turn_events.created_at is 'When the row was stored.';
comment on column awf.turn_events.batch_id is 'Ingest batch (ingest_log) that brought it.';
comment on column awf.turn_events.id is 'UUIDv7 made by the client; with ts it makes a repeated batch harmless.';
comment on column awf.turn_events.world_id is 'World, in dimensions.';
comment on column awf.turn_events.adventure_id is 'Adventure, in dimensions.';
comment on column awf.turn_events.locale_id is 'Locale, in dimensions.';
comment on column awf.turn_events.model_id is 'Language model, in dimensions; NULL when not told.';
comment on column awf.turn_events.turn_latency_us is 'Wall time of the turn, microseconds.';
comment on column awf.turn_events.model_latency_us is 'Time in the language model, microseconds.';
comment on column awf.turn_events.bundle_us is 'Time assembling the bundle, microseconds.';
comment on column awf.turn_events.bundle_tokens is 'Tokens sent to the model.';
comment on column awf.turn_events.output_tokens is 'Tokens the model generated.';
comment on column awf.turn_events.retries is 'Repeated model calls.';
comment on column awf.turn_events.fallbacks is 'Fallback answers used.';
comment on column awf.turn_events.tool_calls is 'Tool calls made.';
comment on column awf.turn_events.acts is 'Acts performed.';
comment on column awf.turn_events.choices is 'Choices offered.';
comment on column awf.turn_events.time_advance_ticks is 'Game ticks advanced.';
comment on column awf.turn_events.failed is 'The turn ended with an error.';
comment on column awf.turn_events.player_hash is 'HMAC-SHA256 of the player id; never the id.';
comment on column awf.turn_events.session_id is 'Game session.';
comment on column awf.turn_events.assignments is 'Numbers (variation_ids) of the variations in force at the turn, in order.';
comment on column awf.turn_events.extra is 'Further metrics: numbers and booleans only.';

create index idx_analytics_events_ts on awf.turn_events using brin (ts);
create index idx_analytics_events_experiment on awf.turn_events ((assignments[1]));
create index idx_analytics_events_world on awf.turn_events (world_id);
create index idx_analytics_events_session on awf.turn_events (session_id);
create index turn_events_batch on awf.turn_events using brin (batch_id) with (pages_per_range = 32);

create table awf.rejected_events (
    id bigint generated always as identity primary key,
    rejected_at timestamptz not null default now(),
    reason text not null,
    detail text not null,
    player_hash bytea,
    client text not null default current_setting('application_name'),
    event jsonb not null
);
comment on table awf.rejected_events is 'Events that could not be stored, each with its reason.';
comment on column awf.rejected_events.id is 'Number of the refusal.';
comment on column awf.rejected_events.rejected_at is 'When it was refused.';
comment on column awf.rejected_events.reason is 'Reason code, such as bad_metric or missing_session.';
comment on column awf.rejected_events.detail is 'What is wrong, naming the field and the value.';
comment on column awf.rejected_events.player_hash is 'Player of the event, where it was readable.';
comment on column awf.rejected_events.client is 'application_name of the writer.';
comment on column awf.rejected_events.event is 'The event without free text.';
create index rejected_events_player on awf.rejected_events (player_hash);

alter table awf.dimensions enable row level security;
alter table awf.ingest_log enable row level security;
alter table awf.turn_events enable row level security;
alter table awf.rejected_events enable row level security;
create policy readers on awf.dimensions for select to current_user using (true);
create policy readers on awf.ingest_log for select to current_user using (true);
create policy readers on awf.turn_events for select to current_user using (true);
create policy readers on awf.rejected_events for select to current_user using (true);
$awf_step_0004$),
(5, 'rollups', 'e7c9d826761dbddbb29e5e3f9c3df3c9028054a2eb72e04c45db94eaf2f47c12', $awf_step_0005$-- What the refresh keeps: totals by day, and the first exposure of every unit.

create table awf.daily_totals (
    variation_id integer not null,
    day date not null,
    world_id integer not null,
    locale_id integer not null,
    metric_id smallint not null references awf.metrics (id),
    n bigint not null,
    sum numeric not null,
    sum_squares numeric not null,
    min bigint not null,
    max bigint not null,
    primary key (variation_id, day, world_id, locale_id, metric_id)
);
comment on table awf.daily_totals is
'Additive totals of the turns by variation, day (UTC), world, locale and metric. Rows merge by n, sum, sum_squares + and min, max.';
comment on column awf.daily_totals.variation_id is 'Number in variation_ids; 0 counts every turn once, whatever experiments it carries.';
comment on column awf.daily_totals.day is 'Day, UTC.';
comment on column awf.daily_totals.world_id is 'World, in dimensions.';
comment on column awf.daily_totals.locale_id is 'Locale, in dimensions.';
comment on column awf.daily_totals.metric_id is 'Metric; 0 (failed) has n = turns and sum = failed turns.';
comment on column awf.daily_totals.n is 'Turns that carry the metric.';
comment on column awf.daily_totals.sum is 'Sum in stored units (latencies: microseconds); exact.';
comment on column awf.daily_totals.sum_squares is 'Sum of squares in stored units; exact.';
comment on column awf.daily_totals.min is 'Smallest value in stored units.';
comment on column awf.daily_totals.max is 'Largest value in stored units.';
create index daily_totals_day on awf.daily_totals (day);

create table awf.exposures (
    experiment_id bigint not null,
    unit_id text not null,
    variation_id integer not null,
    locale_id integer not null,
    first_ts timestamptz not null,
    event_id uuid not null,
    player_hash bytea not null,
    primary key (experiment_id, unit_id)
);
comment on table awf.exposures is 'First exposure of each unit to each experiment: the earliest by (ts, event id), in whatever order events arrive.';
comment on column awf.exposures.experiment_id is 'experiments.id.';
comment on column awf.exposures.unit_id is 'Session id or player hash (hex), as the experiment''s hash basis says.';
comment on column awf.exposures.variation_id is 'Variation it was first seen in, in variation_ids.';
comment on column awf.exposures.locale_id is 'Locale of the first exposed turn, in dimensions.';
comment on column awf.exposures.first_ts is 'When.';
comment on column awf.exposures.event_id is 'The event that showed it.';
comment on column awf.exposures.player_hash is 'Player of that event.';
create index exposures_variation on awf.exposures (variation_id, first_ts);

alter table awf.daily_totals enable row level security;
alter table awf.exposures enable row level security;
create policy readers on awf.daily_totals for select to current_user using (true);
create policy readers on awf.exposures for select to current_user using (true);
$awf_step_0005$),
(6, 'default_experiment', 'd8890f47cf96b033c4a07ed5f074d5dffef8ee8948daa7330ac5d40e6b2cd75c', $awf_step_0006$-- An experiment to try things on: present after every installation, as a draft.

with made as (
    insert into awf.experiments (key, name, allocations, guardrails, hash_seed)
    values (
        'awf-default-test',
        'Default experiment for testing',
        '[{"variation": "control", "percent": 50}, {"variation": "treatment", "percent": 50}]',
        '{"maxOutputTokens": 2000, "maxActs": 8, "toolMaxCalls": 10}',
        'awf-default-test'
    )
    returning id, key
),

numbered as (
    insert into awf.variation_ids (experiment_id, experiment_key, variation_key)
    select
        made.id,
        made.key,
        v.variation_key
    from made
    cross join (values ('control'), ('treatment')) as v (variation_key)
    returning id, experiment_key, variation_key
)

insert into awf.experiment_variations (experiment_key, variation_key, params, id)
select
    experiment_key,
    variation_key,
    case variation_key when 'control' then '{"maxActs": 6}'::jsonb else '{"maxActs": 8}'::jsonb end,
    id
from numbered;
$awf_step_0006$)
$awf__storage_steps$;
comment on function awf._storage_steps() is 'The storage steps that awf.migrate() runs once each, in order.';

create or replace function awf._view_scripts()
returns table (name text, body text)
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $awf__view_scripts$
values
('analytics_events', $awf_view_analytics_events$-- The face of turn_events: the documented columns as text, hex and JSON. It reads with the rights of who asks.
create or replace view awf.analytics_events
with (security_invoker = true) as
select
    e.id,
    e.ts,
    e.session_id,
    encode(e.player_hash, 'hex') as player_hash,
    w.value as world_ref,
    a.value as adventure_ref,
    l.value as locale,
    v.experiment_key,
    v.variation_key,
    jsonb_strip_nulls(jsonb_build_object(
        'turnLatencyMs', trim_scale(e.turn_latency_us / 1000.0),
        'modelLatencyMs', trim_scale(e.model_latency_us / 1000.0),
        'bundleMs', trim_scale(e.bundle_us / 1000.0),
        'bundleTokens', e.bundle_tokens,
        'outputTokens', e.output_tokens,
        'retries', e.retries,
        'fallbacks', e.fallbacks,
        'toolCalls', e.tool_calls,
        'acts', e.acts,
        'choices', e.choices,
        'timeAdvanceTicks', e.time_advance_ticks,
        'failed', nullif(e.failed, false),
        'model', m.value
    )) || coalesce(e.extra, '{}') as metrics,
    e.created_at
from awf.turn_events as e
left join awf.dimensions as w on e.world_id = w.id
left join awf.dimensions as a on e.adventure_id = a.id
left join awf.dimensions as l on e.locale_id = l.id
left join awf.dimensions as m on e.model_id = m.id
left join awf.variation_ids as v on e.assignments[1] = v.id;
comment on view awf.analytics_events is
'Turn events as documented: SELECT for analysts, INSERT for writers (id and ts are filled in when NULL).
experiment_key and variation_key are the first of the turn''s experiments. metrics holds what was measured, in ms and counts.';
comment on column awf.analytics_events.id is 'Id of the event (UUIDv7).';
comment on column awf.analytics_events.ts is 'When the turn happened.';
comment on column awf.analytics_events.session_id is 'Game session.';
comment on column awf.analytics_events.player_hash is 'HMAC-SHA256 of the player id, 64 hexadecimal digits.';
comment on column awf.analytics_events.world_ref is 'World.';
comment on column awf.analytics_events.adventure_ref is 'Adventure.';
comment on column awf.analytics_events.locale is 'Locale, such as en-US.';
comment on column awf.analytics_events.experiment_key is 'First experiment in force at the turn; NULL for none.';
comment on column awf.analytics_events.variation_key is 'The variation it gave.';
comment on column awf.analytics_events.metrics is 'Metrics as one document: the standard ones (table metrics), failed, model, and further ones.';
comment on column awf.analytics_events.created_at is 'When the row was stored.';

create or replace trigger insert_event
instead of insert on awf.analytics_events
for each row execute function awf._insert_analytics_event();
$awf_view_analytics_events$),
('daily_rollups', $awf_view_daily_rollups$-- The daily totals, a row for each day, variation, world and locale, with every metric's count and sum beside each other.
create or replace view awf.daily_rollups
with (security_invoker = true) as
select
    d.day,
    d.variation_id,
    d.world_id,
    d.locale_id,
    v.experiment_key,
    v.variation_key,
    w.value as world_ref,
    l.value as locale,
    coalesce(max(d.n) filter (where d.metric_id = 0), 0) as turns,
    coalesce(max(d.sum) filter (where d.metric_id = 0), 0)::bigint as failed_turns,
    max(d.n) filter (where d.metric_id = 1) as turn_latency_us_count,
    max(d.sum) filter (where d.metric_id = 1) as turn_latency_us_sum,
    max(d.n) filter (where d.metric_id = 2) as model_latency_us_count,
    max(d.sum) filter (where d.metric_id = 2) as model_latency_us_sum,
    max(d.n) filter (where d.metric_id = 3) as bundle_us_count,
    max(d.sum) filter (where d.metric_id = 3) as bundle_us_sum,
    max(d.n) filter (where d.metric_id = 4) as bundle_tokens_count,
    max(d.sum) filter (where d.metric_id = 4) as bundle_tokens_sum,
    max(d.n) filter (where d.metric_id = 5) as output_tokens_count,
    max(d.sum) filter (where d.metric_id = 5) as output_tokens_sum,
    max(d.n) filter (where d.metric_id = 6) as retries_count,
    max(d.sum) filter (where d.metric_id = 6) as retries_sum,
    max(d.n) filter (where d.metric_id = 7) as fallbacks_count,
    max(d.sum) filter (where d.metric_id = 7) as fallbacks_sum,
    max(d.n) filter (where d.metric_id = 8) as tool_calls_count,
    max(d.sum) filter (where d.metric_id = 8) as tool_calls_sum,
    max(d.n) filter (where d.metric_id = 9) as acts_count,
    max(d.sum) filter (where d.metric_id = 9) as acts_sum,
    max(d.n) filter (where d.metric_id = 10) as choices_count,
    max(d.sum) filter (where d.metric_id = 10) as choices_sum,
    max(d.n) filter (where d.metric_id = 11) as time_advance_ticks_count,
    max(d.sum) filter (where d.metric_id = 11) as time_advance_ticks_sum
from awf.daily_totals as d
left join awf.variation_ids as v on d.variation_id = v.id
left join awf.dimensions as w on d.world_id = w.id
left join awf.dimensions as l on d.locale_id = l.id
group by d.day, d.variation_id, d.world_id, d.locale_id, v.experiment_key, v.variation_key, w.value, l.value;
comment on view awf.daily_rollups is
'Daily rollup by variation, world and locale: counts and sums in stored units (latencies in microseconds). Rows with
variation_id 0 count every turn once; the others count a turn for each experiment it carries.';
comment on column awf.daily_rollups.day is 'Day, UTC.';
comment on column awf.daily_rollups.variation_id is 'Number in variation_ids; 0 for every turn.';
comment on column awf.daily_rollups.world_id is 'Number of the world.';
comment on column awf.daily_rollups.locale_id is 'Number of the locale.';
comment on column awf.daily_rollups.experiment_key is 'Experiment; NULL in the rows for every turn.';
comment on column awf.daily_rollups.variation_key is 'Variation; NULL in the rows for every turn.';
comment on column awf.daily_rollups.world_ref is 'World.';
comment on column awf.daily_rollups.locale is 'Locale.';
comment on column awf.daily_rollups.turns is 'Turns.';
comment on column awf.daily_rollups.failed_turns is 'Turns that failed.';
comment on column awf.daily_rollups.turn_latency_us_count is 'Turns that carry turnLatencyMs.';
comment on column awf.daily_rollups.turn_latency_us_sum is 'Sum of turnLatencyMs in stored units.';
comment on column awf.daily_rollups.model_latency_us_count is 'Turns that carry modelLatencyMs.';
comment on column awf.daily_rollups.model_latency_us_sum is 'Sum of modelLatencyMs in stored units.';
comment on column awf.daily_rollups.bundle_us_count is 'Turns that carry bundleMs.';
comment on column awf.daily_rollups.bundle_us_sum is 'Sum of bundleMs in stored units.';
comment on column awf.daily_rollups.bundle_tokens_count is 'Turns that carry bundleTokens.';
comment on column awf.daily_rollups.bundle_tokens_sum is 'Sum of bundleTokens in stored units.';
comment on column awf.daily_rollups.output_tokens_count is 'Turns that carry outputTokens.';
comment on column awf.daily_rollups.output_tokens_sum is 'Sum of outputTokens in stored units.';
comment on column awf.daily_rollups.retries_count is 'Turns that carry retries.';
comment on column awf.daily_rollups.retries_sum is 'Sum of retries in stored units.';
comment on column awf.daily_rollups.fallbacks_count is 'Turns that carry fallbacks.';
comment on column awf.daily_rollups.fallbacks_sum is 'Sum of fallbacks in stored units.';
comment on column awf.daily_rollups.tool_calls_count is 'Turns that carry toolCalls.';
comment on column awf.daily_rollups.tool_calls_sum is 'Sum of toolCalls in stored units.';
comment on column awf.daily_rollups.acts_count is 'Turns that carry acts.';
comment on column awf.daily_rollups.acts_sum is 'Sum of acts in stored units.';
comment on column awf.daily_rollups.choices_count is 'Turns that carry choices.';
comment on column awf.daily_rollups.choices_sum is 'Sum of choices in stored units.';
comment on column awf.daily_rollups.time_advance_ticks_count is 'Turns that carry timeAdvanceTicks.';
comment on column awf.daily_rollups.time_advance_ticks_sum is 'Sum of timeAdvanceTicks in stored units.';
$awf_view_daily_rollups$),
('triggers', $awf_view_triggers$-- Triggers of the experiment tables. They call functions of the extension, so they are made anew at every migration.

create or replace trigger touch_row before update on awf.experiments
for each row execute function awf._touch_row();
create or replace trigger touch_row before update on awf.experiment_variations
for each row execute function awf._touch_row();

create or replace trigger touch_config after insert or update or delete on awf.experiments
for each row execute function awf._touch_config();
create or replace trigger touch_config after insert or update or delete on awf.experiment_variations
for each row execute function awf._touch_config();
create or replace trigger touch_config after insert or update or delete on awf.knobs
for each row execute function awf._touch_config();
create or replace trigger touch_config after update on awf.settings
for each row execute function awf._touch_config();
$awf_view_triggers$)
$awf__view_scripts$;
comment on function awf._view_scripts() is 'The view definitions that awf.migrate() runs at every call, in order.';

-- 10_install/_caller.sql
-- Who is calling, seen from inside a SECURITY DEFINER function, where current_user is the owner.
-- Called by every definer that records or checks its caller.
-- Costs one setting lookup.
create or replace function awf._caller()
returns name
language sql
stable
parallel restricted
return case
    when coalesce(current_setting('role', true), 'none') = 'none' then session_user
    else current_setting('role')::name
end;
comment on function awf._caller() is 'Role of the caller: the role set with SET ROLE, else the login role.';

-- 10_install/_now.sql
-- The time, from one place, so that a test can set it inside its transaction.
-- Called by every function that asks for the time.
-- Costs nothing: inlined.
create or replace function awf._now()
returns timestamptz
language sql
stable
parallel safe
return now();
comment on function awf._now() is 'The time of the transaction.';

-- 10_install/_require_owner.sql
-- Refuses to migrate as anybody but the owner of the functions: the tables would belong to somebody else.
-- Called by migrate(), grant_usage() and create_roles().
-- Costs one catalogue lookup.
create or replace function awf._require_owner()
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_owner constant name := (
        select pg_get_userbyid(p.proowner)
        from pg_catalog.pg_proc as p
        where p.oid = 'awf._require_owner()'::regprocedure
    );
begin
    if current_user <> v_owner then
        raise exception using
            errcode = 'WF402',
            message = format('role "%s" does not own schema awf''s functions', current_user),
            detail = format('They belong to "%s".', v_owner),
            hint = format('SET ROLE %I; then try again.', v_owner);
    end if;
end;
$$;
comment on function awf._require_owner() is 'Raises WF402 unless current_user owns the functions.';

-- 10_install/_require_safe_owner.sql
-- Refuses to run a SECURITY DEFINER function that belongs to a superuser (after a restore by one, say).
-- Called first thing by every definer.
-- Costs one lookup in pg_roles.
create or replace function awf._require_safe_owner()
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = current_user) then
        raise exception using
            errcode = 'WF401',
            message = format('the functions of schema awf belong to the superuser "%s"', current_user),
            detail = 'They would run with a superuser''s rights for every caller.',
            hint = 'Create an owner without superuser rights, then: ALTER FUNCTION ... OWNER TO it, or drop and '
                || 'install again after SET ROLE to it. "awf-pg install" does this by itself.';
    end if;
end;
$$;
comment on function awf._require_safe_owner() is 'Raises WF401 when current_user, the owner inside a definer, is a superuser.';

-- 10_install/_setting_number.sql
-- Reads a numeric setting.
-- Called by the functions that the setting governs.
-- Costs one lookup.
create or replace function awf._setting_number(p_name text)
returns numeric
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (select (s.value #>> '{}')::numeric from awf.settings as s where s.name = p_name);
end;
$$;
comment on function awf._setting_number(text) is 'Value of a numeric setting; NULL when it is not set.';

-- 10_install/_step_done.sql
-- Says whether the ledger holds a storage step, and refuses when it holds another text under that number.
-- Called by migrate().
-- Costs one lookup.
create or replace function awf._step_done(p_step integer, p_sha256 text)
returns boolean
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_found text;
begin
    if to_regclass('awf.schema_steps') is null then
        return false;
    end if;
    select s.sha256 into v_found from awf.schema_steps as s where s.step = p_step;
    if v_found is not null and v_found <> p_sha256 then
        raise exception using
            errcode = 'WF106',
            message = format('storage step %s was run with another text', p_step),
            detail = format('Ledger: %s; code: %s.', v_found, p_sha256),
            hint = 'Released steps never change. Install the version this database was made with, or start from an empty schema.';
    end if;
    return v_found is not null;
end;
$$;
comment on function awf._step_done(integer, text) is 'True when the storage step was run; raises WF106 when its text differs.';

-- 10_install/migrate.sql
-- Creates and upgrades the tables and views: runs the storage steps that the ledger lacks, then rebuilds the views.
-- Called by the owner of the functions after every installation or update.
-- Locks: the ledger (before there is one: an advisory lock) for the whole transaction; each step locks what it changes.
create or replace function awf.migrate()
returns table (step integer, name text)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
#variable_conflict use_column
declare
    v_step record;
    v_view record;
begin
    -- The steps and views are constants of the installed code.
    -- @plpgsql_check_options: security_warnings = off
    perform awf._require_owner();
    perform awf._require_safe_owner();
    if to_regclass('awf.schema_steps') is null then
        perform pg_advisory_xact_lock(hashtext('awf.migrate'));
    else
        lock table awf.schema_steps in share row exclusive mode;
    end if;
    for v_step in select s.step, s.name, s.sha256, s.body from awf._storage_steps() as s order by s.step loop
        continue when awf._step_done(v_step.step, v_step.sha256);
        execute v_step.body;
        insert into awf.schema_steps (step, name, sha256, version)
        values (v_step.step, v_step.name, v_step.sha256, awf.version());
        step := v_step.step;
        name := v_step.name;
        return next;
    end loop;
    for v_view in select v.body from awf._view_scripts() as v order by v.name loop
        execute v_view.body;
    end loop;
    perform awf._protect_partition(c.inhrelid::regclass)
    from pg_catalog.pg_inherits as c
    where c.inhparent = 'awf.turn_events'::regclass;
    perform awf._apply_grants();
end;
$$;
comment on function awf.migrate() is
'Creates or upgrades the tables and views of schema awf. Returns the storage steps it ran: none when all is up to date.
Run it as the role that owns the functions, after CREATE EXTENSION, ALTER EXTENSION ... UPDATE or the plain install script.
Errors: WF402 (not the owner), WF401 (the owner is a superuser), WF106 (a step in the ledger differs from the code).
Example: SELECT * FROM awf.migrate();';

-- 10_install/set_setting.sql
-- Changes a database-wide setting.
-- Called by admins and by "awf-pg install".
-- Bumps the revision of the configuration.
create or replace function awf.set_setting(p_name text, p_value jsonb)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_value constant jsonb := nullif(p_value, 'null'::jsonb);
    v_type text;
    v_max numeric;
begin
    perform awf._require_safe_owner();
    select s.type, s.max_value into v_type, v_max from awf.settings as s where s.name = p_name;
    if v_type is null then
        raise exception using
            errcode = 'WF003',
            message = format('there is no setting "%s"', p_name),
            hint = 'Settings: ' || (select string_agg(s.name, ', ' order by s.name) from awf.settings as s) || '.';
    end if;
    if jsonb_typeof(v_value) <> v_type
        or (case when jsonb_typeof(v_value) = 'number' then not (v_value #>> '{}')::numeric between 0 and v_max end)
        or (p_name = 'hash_basis' and coalesce(v_value #>> '{}', '') not in ('session', 'player'))
        or (p_name like 'ingest%' and v_value is null) then
        raise exception using
            errcode = 'WF001',
            message = format('setting "%s" cannot be %s', p_name, coalesce(left(v_value::text, 100), 'null')),
            hint = case
                when p_name = 'hash_basis' then 'It is "session" or "player".'
                else format('It is a number from 0 to %s.', v_max)
            end;
    end if;
    update awf.settings as s set value = v_value, updated_at = awf._now() where s.name = p_name;
end;
$$;
comment on function awf.set_setting(text, jsonb) is
'Changes a database-wide setting (table settings). p_value is JSON: a string, a number, or null for "not set".
Errors: WF003 (no such setting), WF001 (a value that does not fit).
Example: SELECT awf.set_setting(''model_max_output_tokens'', ''2000'');';

-- 20_experiment/_allocation_fault.sql
-- Says what is wrong with one entry of an experiment's allocations.
-- Called by _check_allocations().
-- Costs nothing to speak of.
create or replace function awf._allocation_fault(p_entry jsonb)
returns text
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_entry) <> 'object' then
        return format('have an entry %s that is not an object', left(p_entry::text, 100));
    elsif jsonb_typeof(p_entry -> 'variation') is distinct from 'string' then
        return format('have an entry %s without a variation', left(p_entry::text, 100));
    elsif jsonb_typeof(p_entry -> 'percent') is distinct from 'number' then
        return format('have no percent for variation "%s"', left(p_entry ->> 'variation', 63));
    elsif (p_entry ->> 'percent')::numeric not between 0 and 100 then
        return format('give variation "%s" %s percent', left(p_entry ->> 'variation', 63), left(p_entry ->> 'percent', 40));
    elsif p_entry - 'variation' - 'percent' <> '{}'::jsonb then
        return format('have an entry %s with an unknown field', left(p_entry::text, 100));
    end if;
    return null;
end;
$$;
comment on function awf._allocation_fault(jsonb) is 'The fault of one allocation entry in words; NULL when it has none.';

-- 20_experiment/_change_experiment.sql
-- Checks a document of changes and writes it to an experiment: the one place where the fields of an experiment are set.
-- Called by create_experiment() and update_experiment().
-- Writes one row.
create or replace function awf._change_experiment(p_key text, p_changes jsonb)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._check_change(p_key, c.key, c.value) from jsonb_each(p_changes) as c;
    if p_changes ? 'allocations' then
        perform awf._check_allocations(p_key, p_changes -> 'allocations');
    end if;
    if p_changes ? 'guardrails' then
        perform awf._check_guardrails(p_key, p_changes -> 'guardrails');
    end if;
    update awf.experiments as e set
        name = coalesce(p_changes ->> 'name', e.name),
        allocations = coalesce(p_changes -> 'allocations', e.allocations),
        guardrails = coalesce(p_changes -> 'guardrails', e.guardrails),
        hash_basis = coalesce(p_changes ->> 'hashBasis', e.hash_basis),
        hash_seed = coalesce(p_changes ->> 'hashSeed', e.hash_seed),
        hash_version = coalesce((p_changes -> 'hashVersion')::smallint, e.hash_version),
        coverage = coalesce((p_changes -> 'coverage')::double precision, e.coverage),
        start_at = case when p_changes ? 'startAt' then awf._to_timestamp(p_changes ->> 'startAt') else e.start_at end,
        stop_at = case when p_changes ? 'stopAt' then awf._to_timestamp(p_changes ->> 'stopAt') else e.stop_at end
    where e.key = p_key;
exception
    when check_violation then
        raise exception using
            errcode = 'WF002',
            message = format('experiment "%s" would stop before it starts', p_key),
            detail = format('Changes: %s', left(p_changes::text, 500)),
            hint = 'stopAt must lie after startAt.';
end;
$$;
comment on function awf._change_experiment(text, jsonb) is 'Writes checked changes to an experiment; raises WF001, WF002, WF105, WF108 or WF111.';

-- 20_experiment/_check_allocations.sql
-- Refuses allocations that do not split the units: [{"variation": key, "percent": number}, ...] with a sum of exactly 100.
-- Called when an experiment is created or its allocations change. An empty list is allowed until the start.
-- Costs a walk over the list.
create or replace function awf._check_allocations(p_key text, p_allocations jsonb)
returns void
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_fault text;
    v_sum numeric;
begin
    if jsonb_typeof(p_allocations) is distinct from 'array' then
        v_fault := format('are %s, not a list', coalesce(left(p_allocations::text, 200), 'NULL'));
    else
        select min(awf._allocation_fault(a.entry)) into v_fault from jsonb_array_elements(p_allocations) as a (entry);
    end if;
    if v_fault is null and p_allocations <> '[]'::jsonb then
        select min(format('name variation "%s" twice', d.key)) into v_fault
        from (
            select a.entry ->> 'variation' as key
            from jsonb_array_elements(p_allocations) as a (entry)
            group by a.entry ->> 'variation'
            having count(*) > 1
        ) as d;
        select sum((a.entry ->> 'percent')::numeric) into v_sum from jsonb_array_elements(p_allocations) as a (entry);
        v_fault := coalesce(v_fault, case when v_sum <> 100 then format('sum to %s, not 100', v_sum) end);
    end if;
    if v_fault is not null then
        raise exception using
            errcode = 'WF105',
            message = format('allocations of experiment "%s" %s', p_key, v_fault),
            detail = format('Allocations: %s', left(p_allocations::text, 500)),
            hint = 'Give a list like [{"variation": "control", "percent": 50}, {"variation": "treatment", "percent": 50}].';
    end if;
end;
$$;
comment on function awf._check_allocations(text, jsonb) is 'Raises WF105 when the allocations are malformed or do not sum to exactly 100.';

-- 20_experiment/_check_change.sql
-- Refuses one changed field of an experiment whose value does not fit; allocations and guardrails have checks of their own.
-- Called by _change_experiment() for each field.
-- Costs nothing to speak of.
create or replace function awf._check_change(p_key text, p_field text, p_value jsonb)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_text constant text := p_value #>> '{}';
    v_fits boolean;
begin
    v_fits := case p_field
        when 'allocations' then true
        when 'guardrails' then true
        when 'name' then jsonb_typeof(p_value) = 'string' and length(v_text) between 1 and 200
        when 'hashBasis' then v_text in ('session', 'player')
        when 'hashSeed' then jsonb_typeof(p_value) = 'string'
        when 'hashVersion' then p_value in ('1', '2')
        when 'coverage' then jsonb_typeof(p_value) = 'number' and v_text::numeric between 0 and 1
        when 'startAt' then v_text is null or awf._to_timestamp(v_text) is not null
        when 'stopAt' then v_text is null or awf._to_timestamp(v_text) is not null
        else false
    end;
    if v_fits is not true then
        raise exception using
            errcode = 'WF001',
            message = format('experiment "%s": %s cannot be %s', p_key, left(p_field, 100), left(p_value::text, 100)),
            hint = 'Fields: name (1 to 200 characters), allocations (list), guardrails (object), hashBasis (session or player), hashSeed (text), '
                || 'hashVersion (1 or 2), coverage (0 to 1), startAt and stopAt (time or null).';
    end if;
end;
$$;
comment on function awf._check_change(text, text, jsonb) is 'Raises WF001 when the field is unknown or its value does not fit.';

-- 20_experiment/_check_guardrails.sql
-- Refuses guardrails that name no knob, bound nothing or bound the wrong way round.
-- Called when an experiment is created or its guardrails change.
-- Costs a lookup of the knobs.
create or replace function awf._check_guardrails(p_key text, p_guardrails jsonb)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_entry record;
begin
    if jsonb_typeof(p_guardrails) is distinct from 'object' then
        raise exception using
            errcode = 'WF111',
            message = format('guardrails of experiment "%s" are %s, not an object', p_key, coalesce(left(p_guardrails::text, 200), 'NULL')),
            hint = 'Give an object like {"maxOutputTokens": 2000, "maxActs": {"min": 2, "max": 8}}.';
    end if;
    for v_entry in select g.key as knob, g.value as bound from jsonb_each(p_guardrails) as g order by g.key collate "C" loop
        perform awf._require_knob(v_entry.knob, format('guardrails of experiment "%s"', p_key));
        if not awf._is_bound(v_entry.bound)
            or (select k.type = 'boolean' from awf.knobs as k where k.name = v_entry.knob) then
            raise exception using
                errcode = 'WF111',
                message = format('guardrail %s of experiment "%s" cannot be %s', v_entry.knob, p_key, left(v_entry.bound::text, 100)),
                hint = 'A guardrail of a numeric knob is a maximum (2000) or {"min": number, "max": number} with min <= max.';
        end if;
    end loop;
end;
$$;
comment on function awf._check_guardrails(text, jsonb) is 'Raises WF108 (no such knob) or WF111 (no such bound).';

-- 20_experiment/_check_key.sql
-- Refuses a key that could not be written in a URL, a CSV or a log line without care.
-- Called when an experiment or a variation is created.
-- Costs one regular expression.
create or replace function awf._check_key(p_what text, p_key text)
returns void
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_key is null or p_key !~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$' then
        raise exception using
            errcode = 'WF112',
            message = format('"%s" cannot be the key of %s', coalesce(left(p_key, 100), 'NULL'), p_what),
            hint = 'A key has 1 to 63 letters, digits, "-", "_", "." or ":", and begins with a letter or digit.';
    end if;
end;
$$;
comment on function awf._check_key(text, text) is 'Raises WF112 when the text cannot be a key.';

-- 20_experiment/_check_params.sql
-- Refuses params that name no knob, have the wrong type or lie outside the bounds in force.
-- Called when a variation is saved, when guardrails change and when an experiment starts.
-- Costs a scan of the knobs.
create or replace function awf._check_params(p_experiment_key text, p_variation_key text, p_params jsonb, p_guardrails jsonb)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_where constant text := format('variation "%s" of experiment "%s"', p_variation_key, p_experiment_key);
    v_param record;
    v_side text;
begin
    if jsonb_typeof(p_params) is distinct from 'object' then
        raise exception using
            errcode = 'WF110',
            message = format('%s: params are %s, not an object', v_where, coalesce(left(p_params::text, 200), 'NULL')),
            hint = 'Give an object like {"maxOutputTokens": 1500}.';
    end if;
    for v_param in
        select p.key as knob, p.value as given, b.type, b.low, b.high, b.low_from, b.high_from
        from jsonb_each(p_params) as p
        left join awf._knob_bounds(p_guardrails) as b on p.key = b.knob
        order by p.key collate "C"
    loop
        perform awf._require_knob(v_param.knob, v_where);
        if not awf._has_type(v_param.given, v_param.type) then
            raise exception using
                errcode = 'WF110',
                message = format('%s: %s cannot be %s', v_where, v_param.knob, left(v_param.given::text, 100)),
                hint = format('%s takes %s.', v_param.knob, v_param.type);
        end if;
        v_side := awf._outside(v_param.given, v_param.low, v_param.high);
        if v_side is not null then
            raise exception using
                errcode = 'WF109',
                message = format(
                    '%s: %s %s is %s %s', v_where, v_param.knob, left(v_param.given::text, 100), v_side,
                    case v_side when 'above' then v_param.high else v_param.low end
                ),
                detail = format(
                    'The bound is set by %s.', case v_side when 'above' then v_param.high_from else v_param.low_from end
                ),
                hint = 'Choose a value within the bounds, or move the bound first.';
        end if;
    end loop;
end;
$$;
comment on function awf._check_params(text, text, jsonb, jsonb) is 'Raises WF108 (unknown knob), WF110 (wrong type) or WF109 (out of bounds).';

-- 20_experiment/_experiment_config.sql
-- One experiment as the evaluators read it: ranges, variations in their order, guardrails in their long form.
-- Called by active_config() and assign().
-- Costs three lookups.
create or replace function awf._experiment_config(p_id bigint)
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select jsonb_build_object(
            'key', e.key, 'hashBasis', e.hash_basis, 'hashSeed', e.hash_seed, 'hashVersion', e.hash_version,
            'startAt', e.start_at, 'stopAt', e.stop_at,
            'ranges', awf.bucket_ranges(jsonb_array_length(e.allocations), e.coverage, a.weights),
            'variations', a.variations,
            'guardrails', (
                select coalesce(jsonb_object_agg(g.key, case jsonb_typeof(g.value)
                    when 'number' then jsonb_build_object('max', g.value)
                    else g.value
                end), '{}')
                from jsonb_each(e.guardrails) as g
            )
        )
        from awf.experiments as e
        cross join lateral (
            select
                array_agg((l.entry ->> 'percent')::double precision / 100 order by l.place) as weights,
                jsonb_agg(
                    jsonb_build_object('key', v.variation_key, 'id', v.id, 'params', v.params) order by l.place
                ) as variations
            from jsonb_array_elements(e.allocations) with ordinality as l (entry, place)
            inner join awf.experiment_variations as v
                on e.key = v.experiment_key and v.variation_key = l.entry ->> 'variation'
        ) as a
        where e.id = p_id
    );
end;
$$;
comment on function awf._experiment_config(bigint) is 'The experiment''s entry of active_config().';

-- 20_experiment/_experiment_document.sql
-- An experiment with its variations as one JSON document.
-- Called by every function that returns an experiment.
-- Costs two lookups.
create or replace function awf._experiment_document(p_key text)
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select jsonb_build_object(
            'id', e.id, 'key', e.key, 'name', e.name, 'status', e.status, 'startAt', e.start_at, 'stopAt', e.stop_at,
            'hashBasis', e.hash_basis, 'hashSeed', e.hash_seed, 'hashVersion', e.hash_version, 'coverage', e.coverage,
            'allocations', e.allocations, 'guardrails', e.guardrails, 'createdAt', e.created_at, 'updatedAt', e.updated_at,
            'variations', coalesce(
                (
                    select jsonb_agg(awf._variation_document(v.experiment_key, v.variation_key) - 'experimentKey' order by v.id)
                    from awf.experiment_variations as v
                    where v.experiment_key = e.key
                ),
                '[]'::jsonb
            )
        )
        from awf.experiments as e
        where e.key = p_key
    );
end;
$$;
comment on function awf._experiment_document(text) is 'The experiment as JSON, with its variations; NULL when there is none.';

-- 20_experiment/_find_experiment.sql
-- Finds an experiment, or says which there are.
-- Called by every function that takes an experiment key.
-- Costs one lookup; with p_lock the row stays locked until the transaction ends.
create or replace function awf._find_experiment(p_key text, p_lock boolean default false)
returns bigint
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id bigint;
begin
    if p_lock then
        select e.id into v_id from awf.experiments as e where e.key = p_key for update;
    else
        select e.id into v_id from awf.experiments as e where e.key = p_key;
    end if;
    if v_id is null then
        raise exception using
            errcode = 'WF101',
            message = format('there is no experiment "%s"', coalesce(left(p_key, 100), 'NULL')),
            hint = 'SELECT key FROM awf.list_experiments(); (awf-pg experiment list) shows them all.';
    end if;
    return v_id;
end;
$$;
comment on function awf._find_experiment(text, boolean) is 'Id of the experiment; raises WF101 when there is none.';

-- 20_experiment/_has_type.sql
-- Says whether a JSON value has a knob's type; 5.0 is an integer, true is no number.
-- Called when params are saved and at every turn.
-- Costs nothing to speak of.
create or replace function awf._has_type(p_value jsonb, p_type text)
returns boolean
language sql
immutable
parallel safe
return case
    when p_type = 'boolean' then jsonb_typeof(p_value) = 'boolean'
    when jsonb_typeof(p_value) <> 'number' then false
    when p_type = 'integer' then (p_value #>> '{}')::numeric % 1 = 0
    else true
end;
comment on function awf._has_type(jsonb, text) is 'True when the value has the type integer, number or boolean.';

-- 20_experiment/_is_bound.sql
-- Says whether a JSON value can be a guardrail: a number, or {"min": number, "max": number} with at least one of the two.
-- Called by _check_guardrails().
-- Costs nothing to speak of.
create or replace function awf._is_bound(p_bound jsonb)
returns boolean
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_bound) = 'number' then
        return true;
    elsif jsonb_typeof(p_bound) <> 'object' or p_bound = '{}'::jsonb or p_bound - 'min' - 'max' <> '{}'::jsonb
        or coalesce(jsonb_typeof(p_bound -> 'min'), 'number') <> 'number'
        or coalesce(jsonb_typeof(p_bound -> 'max'), 'number') <> 'number' then
        return false;
    end if;
    return coalesce((p_bound ->> 'min')::numeric <= (p_bound ->> 'max')::numeric, true);
end;
$$;
comment on function awf._is_bound(jsonb) is 'True when the value is a maximum or an object of min and max in order.';

-- 20_experiment/_knob_bounds.sql
-- The bounds in force for every numeric knob: its own range, the budget setting and the guardrails together.
-- Called when params are saved, and by active_config().
-- Costs a scan of the knobs.
create or replace function awf._knob_bounds(p_guardrails jsonb)
returns table (knob text, type text, low numeric, high numeric, low_from text, high_from text)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        k.name, k.type, l.value, h.value, l.source, h.source
    from awf.knobs as k
    cross join lateral (
        select case jsonb_typeof(p_guardrails -> k.name)
            when 'number' then jsonb_build_object('max', p_guardrails -> k.name)
            else p_guardrails -> k.name
        end as bound
    ) as g
    left join lateral (
        select c.value, c.source
        from (values (k.min_value, 'the knob''s range'), ((g.bound ->> 'min')::numeric, 'the guardrail')) as c (value, source)
        where c.value is not null
        order by c.value desc, c.source desc
        limit 1
    ) as l on true
    left join lateral (
        select c.value, c.source
        from (
            values
            (k.max_value, 'the knob''s range'),
            ((g.bound ->> 'max')::numeric, 'the guardrail'),
            (awf._setting_number(k.budget_setting), 'setting ' || k.budget_setting)
        ) as c (value, source)
        where c.value is not null
        order by c.value, c.source desc
        limit 1
    ) as h on true;
end;
$$;
comment on function awf._knob_bounds(jsonb) is 'Lowest and highest allowed value of every knob under these guardrails, each with what sets it.';

-- 20_experiment/_outside.sql
-- Says on which side of its bounds a value lies.
-- Called when params are saved.
-- Costs nothing to speak of.
create or replace function awf._outside(p_value jsonb, p_low numeric, p_high numeric)
returns text
language sql
immutable
parallel safe
return case
    when jsonb_typeof(p_value) <> 'number' then null
    when (p_value #>> '{}')::numeric > p_high then 'above'
    when (p_value #>> '{}')::numeric < p_low then 'below'
end;
comment on function awf._outside(jsonb, numeric, numeric) is '''above'', ''below'' or NULL when the value is within its bounds or is no number.';

-- 20_experiment/_require_changeable.sql
-- Refuses to change what decides who gets which variation, once an experiment has started.
-- Called by update_experiment() for each changed field.
-- Costs one lookup.
create or replace function awf._require_changeable(p_key text, p_field text)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_field in ('allocations', 'hashBasis', 'hashSeed', 'hashVersion', 'startAt')
        and (select e.status <> 'draft' from awf.experiments as e where e.key = p_key) then
        raise exception using
            errcode = 'WF106',
            message = format('experiment "%s" has started: its %s stays as it is', p_key, p_field),
            detail = 'Changing it would move units from one variation to another.',
            hint = 'Create another experiment.';
    end if;
end;
$$;
comment on function awf._require_changeable(text, text) is 'Raises WF106 when the field is fixed because the experiment has started.';

-- 20_experiment/_require_knob.sql
-- Refuses a parameter name that no knob has.
-- Called when guardrails or params are saved.
-- Costs one lookup.
create or replace function awf._require_knob(p_knob text, p_where text)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (select from awf.knobs as k where k.name = p_knob) then
        raise exception using
            errcode = 'WF108',
            message = format('%s: there is no knob "%s"', p_where, left(p_knob, 100)),
            hint = 'Knobs: ' || (select string_agg(k.name, ', ' order by k.name) from awf.knobs as k) || '.';
    end if;
end;
$$;
comment on function awf._require_knob(text, text) is 'Raises WF108 when there is no such knob; the second argument says where it was named.';

-- 20_experiment/_require_setting_names.sql
-- Refuses a p_settings document with a name that create_experiment() does not know.
-- Called by create_experiment().
-- Costs a walk over a small document.
create or replace function awf._require_setting_names(p_settings jsonb)
returns void
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_settings) is distinct from 'object'
        or p_settings - array['coverage', 'hashSeed', 'hashVersion'] <> '{}'::jsonb then
        raise exception using
            errcode = 'WF001',
            message = format('p_settings cannot be %s', coalesce(left(p_settings::text, 200), 'NULL')),
            hint = 'It is an object with any of coverage, hashSeed, hashVersion.';
    end if;
end;
$$;
comment on function awf._require_setting_names(jsonb) is 'Raises WF001 when the document holds another name than coverage, hashSeed and hashVersion.';

-- 20_experiment/_require_startable.sql
-- Refuses to start what runs already, splits nothing or has its end behind it.
-- Called by start_experiment().
-- Costs one lookup.
create or replace function awf._require_startable(p_id bigint)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_fault record;
begin
    select
        e.key,
        case
            when e.status = 'running' then 'is running already'
            when e.allocations = '[]'::jsonb then 'has no allocations'
            when e.status = 'draft' and e.stop_at <= awf._now() then 'has its stop_at in the past'
        end as fault,
        case
            when e.status = 'running' then 'There is nothing to do.'
            else 'Change it with awf.update_experiment() (awf-pg experiment update) first.'
        end as hint
    into v_fault
    from awf.experiments as e
    where e.id = p_id;
    if v_fault.fault is not null then
        raise exception using
            errcode = 'WF106',
            message = format('experiment "%s" %s', v_fault.key, v_fault.fault),
            hint = v_fault.hint;
    end if;
end;
$$;
comment on function awf._require_startable(bigint) is 'Raises WF106 when the experiment cannot start.';

-- 20_experiment/_require_variation.sql
-- Refuses a variation key that the experiment does not have.
-- Called by update_variation() and delete_variation().
-- Costs one lookup.
create or replace function awf._require_variation(p_experiment_key text, p_variation_key text)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (
        select from awf.experiment_variations as v
        where v.experiment_key = p_experiment_key and v.variation_key = p_variation_key
    ) then
        raise exception using
            errcode = 'WF102',
            message = format(
                'experiment "%s" has no variation "%s"', p_experiment_key, coalesce(p_variation_key, 'NULL')
            ),
            hint = 'Variations: ' || coalesce(
                (
                    select string_agg(v.variation_key, ', ' order by v.id)
                    from awf.experiment_variations as v
                    where v.experiment_key = p_experiment_key
                ),
                'none yet'
            ) || '.';
    end if;
end;
$$;
comment on function awf._require_variation(text, text) is 'Raises WF102 when the experiment has no such variation.';

-- 20_experiment/_require_variations.sql
-- Refuses allocations that name a variation which does not exist.
-- Called at the start of an experiment and when its allocations change.
-- Costs one join of small tables.
create or replace function awf._require_variations(p_key text, p_errcode text)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_missing constant text := (
        select string_agg(format('"%s"', a.entry ->> 'variation'), ', ' order by a.entry ->> 'variation')
        from awf.experiments as e
        cross join lateral jsonb_array_elements(e.allocations) as a (entry)
        where e.key = p_key and not exists (
            select from awf.experiment_variations as v
            where v.experiment_key = e.key and v.variation_key = a.entry ->> 'variation'
        )
    );
begin
    if v_missing is not null then
        raise exception using
            errcode = p_errcode,
            message = format('experiment "%s" allocates units to missing variations: %s', p_key, v_missing),
            hint = 'Create the variation with awf.create_variation() (awf-pg variation add) first.';
    end if;
end;
$$;
comment on function awf._require_variations(text, text) is 'Raises the given error code when an allocated variation does not exist.';

-- 20_experiment/_to_timestamp.sql
-- Reads a text as a time; a text without a zone is UTC.
-- Called wherever a time comes from a JSON document.
-- Costs a subtransaction.
create or replace function awf._to_timestamp(p_text text)
returns timestamptz
language plpgsql
stable
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
begin
    -- Dates as ISO 8601 has them, and none so far away that another time zone could not show it.
    if p_text !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}' or p_text::timestamptz not between '0001-01-03' and '9999-12-29' then
        return null;
    end if;
    return p_text::timestamptz;
exception
    when data_exception then
        return null;
end;
$$;
comment on function awf._to_timestamp(text) is 'The time that a text names, UTC unless it says otherwise; NULL when it does not begin with YYYY-MM-DD or names no time of the years 1 to 9999.';

-- 20_experiment/_touch_config.sql
-- Trigger: counts a change of the configuration and tells whoever listens on the channel awf_config.
-- Called for each changed row of experiments, experiment_variations, knobs and settings.
-- Locks the one row of config_state until the transaction ends.
create or replace function awf._touch_config()
returns trigger
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_revision bigint;
begin
    perform awf._require_safe_owner();
    update awf.config_state as c set revision = c.revision + 1 returning c.revision into v_revision;
    perform pg_notify('awf_config', v_revision::text);
    return null;
end;
$$;
comment on function awf._touch_config() is 'Trigger function: moves the revision and notifies the channel awf_config.';

-- 20_experiment/_touch_row.sql
-- Trigger: keeps updated_at true.
-- Called for each changed row of experiments and experiment_variations.
-- Costs nothing to speak of.
create or replace function awf._touch_row()
returns trigger
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- The clock, not the transaction's time: two updates in one transaction move it twice.
    new.updated_at := greatest(clock_timestamp(), old.updated_at + interval '1 microsecond');
    return new;
end;
$$;
comment on function awf._touch_row() is 'Trigger function: sets updated_at.';

-- 20_experiment/_variation_document.sql
-- A variation as one JSON document.
-- Called by every function that returns a variation.
-- Costs one lookup.
create or replace function awf._variation_document(p_experiment_key text, p_variation_key text)
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select jsonb_build_object(
            'experimentKey', v.experiment_key, 'variationKey', v.variation_key, 'params', v.params,
            'createdAt', v.created_at, 'updatedAt', v.updated_at
        )
        from awf.experiment_variations as v
        where v.experiment_key = p_experiment_key and v.variation_key = p_variation_key
    );
end;
$$;
comment on function awf._variation_document(text, text) is 'The variation as JSON; NULL when there is none.';

-- 20_experiment/active_config.sql
-- The configuration that clients evaluate locally: the knobs and every running experiment, as one document.
-- Called by clients once a minute.
-- Costs a scan of the running experiments.
create or replace function awf.active_config()
returns jsonb
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    return jsonb_build_object(
        'version', 1,
        'revision', (select c.revision from awf.config_state as c),
        'knobs', (
            select coalesce(jsonb_object_agg(b.knob, jsonb_build_object('type', b.type, 'min', b.low, 'max', b.high)), '{}')
            from awf._knob_bounds('{}') as b
        ),
        'experiments', (
            select coalesce(jsonb_agg(awf._experiment_config(e.id) order by e.start_at, e.id), '[]')
            from awf.experiments as e
            where e.status = 'running'
        )
    );
end;
$$;
comment on function awf.active_config() is
'What a client needs to assign units and choose params without asking the database again:
{"version": 1, "revision": n, "knobs": {name: {"type", "min", "max"}}, "experiments": [{"key", "hashBasis", "hashSeed",
"hashVersion", "startAt", "stopAt", "ranges": [[low, high], ...], "variations": [{"key", "id", "params"}, ...] in the order of
the ranges, "guardrails": {knob: {"min", "max"}}}, ...] in the order in which they apply}. Budgets are folded into the knobs'' max.
Example: SELECT jsonb_pretty(awf.active_config());';

-- 20_experiment/create_experiment.sql
-- Creates an experiment as a draft.
-- Called by admins.
-- Writes one row.
create or replace function awf.create_experiment(
    p_key text,
    p_name text,
    p_allocations jsonb default '[]',
    p_hash_basis text default null,
    p_guardrails jsonb default '{}',
    p_start_at timestamptz default null,
    p_stop_at timestamptz default null,
    p_settings jsonb default '{}'
)
returns jsonb
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    perform awf._check_key('an experiment', p_key);
    insert into awf.experiments (key, name, hash_basis, hash_seed)
    values (
        p_key,
        p_key,
        (select s.value #>> '{}' from awf.settings as s where s.name = 'hash_basis'),
        p_key
    )
    on conflict (key) do nothing;
    if not found then
        raise exception using
            errcode = 'WF103',
            message = format('experiment "%s" exists already', p_key),
            hint = 'Choose another key, or change it with awf.update_experiment() (awf-pg experiment update).';
    end if;
    perform awf._require_setting_names(p_settings);
    perform awf._change_experiment(p_key, p_settings || (
        select jsonb_object_agg(a.key, a.value)
        from jsonb_each(jsonb_build_object(
            'name', p_name, 'allocations', coalesce(p_allocations, '[]'), 'hashBasis', p_hash_basis,
            'guardrails', coalesce(p_guardrails, '{}'), 'startAt', p_start_at, 'stopAt', p_stop_at
        )) as a
        where a.value <> 'null'
    ));
    return awf._experiment_document(p_key);
end;
$$;
comment on function awf.create_experiment(text, text, jsonb, text, jsonb, timestamptz, timestamptz, jsonb) is
'Creates an experiment with status draft and returns it (see get_experiment).
p_name: title for people, 1 to 200 characters; NULL takes the key.
p_allocations: [{"variation": key, "percent": number}, ...], percents summing to exactly 100, or [] to set them later.
p_hash_basis: session or player; NULL takes the setting hash_basis.
p_guardrails: {knob: maximum} or {knob: {"min": number, "max": number}}.
p_start_at, p_stop_at: when it is in force once started; NULL means: from the start on, without an end.
p_settings: {"coverage": 0..1, "hashSeed": text, "hashVersion": 1 or 2}.
Errors: WF112 (key), WF103 (exists), WF105 (allocations), WF108, WF111 (guardrails), WF001 (another value), WF002 (stop before start).
Example: SELECT awf.create_experiment(''token-budget-test'', ''Token Budget Experiment'',
  ''[{"variation": "control", "percent": 50}, {"variation": "high-budget", "percent": 50}]'');';

-- 20_experiment/create_variation.sql
-- Adds a variation to an experiment.
-- Called by admins.
-- Locks the experiment's row; writes two rows.
create or replace function awf.create_variation(p_experiment_key text, p_variation_key text, p_params jsonb default '{}')
returns jsonb
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_experiment_id constant bigint := awf._find_experiment(p_experiment_key, true);
    v_id integer;
begin
    perform awf._require_safe_owner();
    perform awf._check_key('a variation', p_variation_key);
    perform awf._check_params(
        p_experiment_key, p_variation_key, p_params,
        (select e.guardrails from awf.experiments as e where e.id = v_experiment_id)
    );
    -- A variation that was deleted and is made again keeps its number.
    insert into awf.variation_ids (experiment_id, experiment_key, variation_key)
    values (v_experiment_id, p_experiment_key, p_variation_key)
    on conflict (experiment_id, variation_key) do update set experiment_key = excluded.experiment_key
    returning id into v_id;
    insert into awf.experiment_variations (experiment_key, variation_key, params, id)
    values (p_experiment_key, p_variation_key, p_params, v_id)
    on conflict (experiment_key, variation_key) do nothing;
    if not found then
        raise exception using
            errcode = 'WF104',
            message = format('variation "%s" of experiment "%s" exists already', p_variation_key, p_experiment_key),
            hint = 'Change it with awf.update_variation() (awf-pg variation update).';
    end if;
    return awf._variation_document(p_experiment_key, p_variation_key);
end;
$$;
comment on function awf.create_variation(text, text, jsonb) is
'Adds a variation and returns it: {experimentKey, variationKey, params, createdAt, updatedAt}. p_params: {knob: value}.
Errors: WF101 (no such experiment), WF112 (key), WF104 (exists), WF108 (unknown knob), WF109 (outside the knob''s range, a
guardrail or a budget), WF110 (wrong type).
Example: SELECT awf.create_variation(''token-budget-test'', ''control'', ''{"maxOutputTokens": 1500}'');';

-- 20_experiment/delete_experiment.sql
-- Deletes an experiment with its variations and exposures; its events and rollups stay.
-- Called by admins.
-- Locks the experiment's row; deletes as many rows as it has units.
create or replace function awf.delete_experiment(p_key text)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._find_experiment(p_key, true);
begin
    perform awf._require_safe_owner();
    if (select e.status = 'running' from awf.experiments as e where e.id = v_id) then
        raise exception using
            errcode = 'WF106',
            message = format('experiment "%s" is running', p_key),
            hint = 'Stop it first: awf.stop_experiment() (awf-pg experiment stop).';
    end if;
    delete from awf.exposures as x where x.experiment_id = v_id;
    delete from awf.experiments as e where e.id = v_id;
end;
$$;
comment on function awf.delete_experiment(text) is
'Deletes an experiment that is not running, with its variations and exposures. Its events and daily totals stay.
Errors: WF101 (no such experiment), WF106 (it is running).
Example: SELECT awf.delete_experiment(''token-budget-test'');';

-- 20_experiment/delete_variation.sql
-- Removes a variation from an experiment.
-- Called by admins.
-- Locks the experiment's row; deletes one row.
create or replace function awf.delete_variation(p_experiment_key text, p_variation_key text)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_experiment_id constant bigint := awf._find_experiment(p_experiment_key, true);
begin
    perform awf._require_safe_owner();
    perform awf._require_variation(p_experiment_key, p_variation_key);
    if exists (
        select from awf.experiments as e
        where e.id = v_experiment_id and e.status <> 'draft'
            and e.allocations @> jsonb_build_array(jsonb_build_object('variation', p_variation_key))
    ) then
        raise exception using
            errcode = 'WF106',
            message = format(
                'variation "%s" has units: experiment "%s" has started with it', p_variation_key, p_experiment_key
            ),
            hint = 'Stop the experiment instead, or delete it as a whole.';
    end if;
    delete from awf.experiment_variations as v
    where v.experiment_key = p_experiment_key and v.variation_key = p_variation_key;
end;
$$;
comment on function awf.delete_variation(text, text) is
'Removes a variation. Once the experiment has started, a variation that gets units stays.
Errors: WF101, WF102 (no such experiment or variation), WF106 (the experiment has started with it).
Example: SELECT awf.delete_variation(''token-budget-test'', ''high-budget'');';

-- 20_experiment/get_experiment.sql
-- Shows one experiment.
-- Called by analysts, admins and the CLI.
-- Costs three lookups.
create or replace function awf.get_experiment(p_key text)
returns jsonb
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._find_experiment(p_key);
    return awf._experiment_document(p_key);
end;
$$;
comment on function awf.get_experiment(text) is
'The experiment as JSON: {id, key, name, status, startAt, stopAt, hashBasis, hashSeed, hashVersion, coverage, allocations,
guardrails, variations: [{variationKey, params, createdAt, updatedAt}], createdAt, updatedAt}.
Errors: WF101 (no such experiment).
Example: SELECT jsonb_pretty(awf.get_experiment(''token-budget-test''));';

-- 20_experiment/list_experiments.sql
-- Lists the experiments.
-- Called by readers, admins and the CLI.
-- Costs one scan of a small table.
create or replace function awf.list_experiments(p_status text default null)
returns table (
    key text, name text, status text, hash_basis text, start_at timestamptz, stop_at timestamptz, variations integer,
    created_at timestamptz, updated_at timestamptz
)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_status is not null and p_status not in ('draft', 'running', 'stopped') then
        raise exception using
            errcode = 'WF001',
            message = format('there is no status "%s"', p_status),
            hint = 'Statuses: draft, running, stopped.';
    end if;
    return query
    select
        e.key, e.name, e.status, e.hash_basis, e.start_at, e.stop_at,
        (select count(*)::integer from awf.experiment_variations as v where v.experiment_key = e.key),
        e.created_at, e.updated_at
    from awf.experiments as e
    where p_status is null or e.status = p_status
    order by e.key;
end;
$$;
comment on function awf.list_experiments(text) is
'All experiments by key, or those of one status (draft, running, stopped).
Errors: WF001 (no such status).
Example: SELECT key, status FROM awf.list_experiments(''running'');';

-- 20_experiment/list_variations.sql
-- Lists the variations of an experiment.
-- Called by readers, admins and the CLI.
-- Costs two lookups.
create or replace function awf.list_variations(p_experiment_key text)
returns table (variation_key text, percent numeric, params jsonb, created_at timestamptz, updated_at timestamptz)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._find_experiment(p_experiment_key);
    return query
    select v.variation_key, coalesce((a.entry ->> 'percent')::numeric, 0), v.params, v.created_at, v.updated_at
    from awf.experiments as e
    inner join awf.experiment_variations as v on e.key = v.experiment_key
    left join lateral jsonb_array_elements(e.allocations) as a (entry) on a.entry ->> 'variation' = v.variation_key
    where e.key = p_experiment_key
    order by v.id;
end;
$$;
comment on function awf.list_variations(text) is
'The variations of an experiment in the order of creation, each with its share of the units in percent (0 when not allocated).
Errors: WF101 (no such experiment).
Example: SELECT * FROM awf.list_variations(''token-budget-test'');';

-- 20_experiment/start_experiment.sql
-- Starts an experiment: from now on, or from its start_at on, units are assigned.
-- Called by admins.
-- Locks and writes one row.
create or replace function awf.start_experiment(p_key text)
returns jsonb
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._find_experiment(p_key, true);
begin
    perform awf._require_safe_owner();
    perform awf._require_startable(v_id);
    perform awf._require_variations(p_key, 'WF107');
    perform awf._check_params(p_key, v.variation_key, v.params, e.guardrails)
    from awf.experiments as e
    inner join awf.experiment_variations as v on e.key = v.experiment_key
    where e.id = v_id;
    -- Starting again after a stop lifts the end that the stop had set.
    update awf.experiments as e set
        status = 'running',
        start_at = coalesce(e.start_at, awf._now()),
        stop_at = case when e.status = 'stopped' then null else e.stop_at end
    where e.id = v_id;
    return awf._experiment_document(p_key);
end;
$$;
comment on function awf.start_experiment(text) is
'Sets a draft or stopped experiment running and returns it (see get_experiment). Without a start_at it is in force from now on.
Errors: WF101 (no such experiment), WF106 (running already, nothing allocated, or its stop_at has passed), WF107 (an allocated
variation does not exist), WF108, WF109, WF110 (params that do not fit the knobs or guardrails of today).
Example: SELECT awf.start_experiment(''token-budget-test'');';

-- 20_experiment/stop_experiment.sql
-- Stops an experiment: from now on no unit is assigned.
-- Called by admins.
-- Locks and writes one row.
create or replace function awf.stop_experiment(p_key text)
returns jsonb
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._find_experiment(p_key, true);
begin
    perform awf._require_safe_owner();
    -- One that was scheduled and never began has no stretch of time to close: stop_at must lie after start_at.
    update awf.experiments as e set
        status = 'stopped',
        stop_at = case when e.start_at < awf._now() then least(e.stop_at, awf._now()) else e.stop_at end
    where e.id = v_id and e.status = 'running';
    if not found then
        raise exception using
            errcode = 'WF106',
            message = format('experiment "%s" is not running', p_key),
            hint = 'awf.get_experiment() (awf-pg experiment show) shows its status.';
    end if;
    return awf._experiment_document(p_key);
end;
$$;
comment on function awf.stop_experiment(text) is
'Stops a running experiment and returns it (see get_experiment): no unit is assigned any more. Its data stays.
Errors: WF101 (no such experiment), WF106 (it is not running).
Example: SELECT awf.stop_experiment(''token-budget-test'');';

-- 20_experiment/update_experiment.sql
-- Changes an experiment.
-- Called by admins.
-- Locks and writes one row.
create or replace function awf.update_experiment(p_key text, p_changes jsonb)
returns jsonb
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._find_experiment(p_key, true);
begin
    perform awf._require_safe_owner();
    if jsonb_typeof(p_changes) is distinct from 'object' then
        raise exception using
            errcode = 'WF001',
            message = format('changes of experiment "%s" are %s, not an object', p_key, coalesce(left(p_changes::text, 200), 'NULL')),
            hint = 'Give an object like {"name": "New name", "coverage": 0.5}.';
    end if;
    perform awf._require_changeable(p_key, c.key)
    from jsonb_object_keys(p_changes) as c (key);
    perform awf._change_experiment(p_key, p_changes);
    if p_changes ? 'allocations' then
        perform awf._require_variations(p_key, 'WF102');
    end if;
    if p_changes ? 'guardrails' then
        perform awf._check_params(p_key, v.variation_key, v.params, e.guardrails)
        from awf.experiments as e
        inner join awf.experiment_variations as v on e.key = v.experiment_key
        where e.id = v_id;
    end if;
    return awf._experiment_document(p_key);
end;
$$;
comment on function awf.update_experiment(text, jsonb) is
'Changes the fields named in p_changes and returns the experiment (see get_experiment).
Fields: name, allocations, guardrails, hashBasis, hashSeed, hashVersion, coverage, startAt, stopAt. Once an experiment has
started, allocations, hashBasis, hashSeed, hashVersion and startAt stay as they are: changing them would move units.
Errors: WF101 (no such experiment), WF106 (fixed once started), WF102 (allocates a variation that does not exist), WF105, WF108,
WF111, WF109 (a guardrail below a value in use), WF001 (unknown field or unfit value), WF002 (stop before start).
Example: SELECT awf.update_experiment(''token-budget-test'', ''{"coverage": 0.5}'');';

-- 20_experiment/update_variation.sql
-- Changes the params of a variation.
-- Called by admins.
-- Locks the experiment's row; writes one row.
create or replace function awf.update_variation(p_experiment_key text, p_variation_key text, p_params jsonb)
returns jsonb
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_experiment_id constant bigint := awf._find_experiment(p_experiment_key, true);
begin
    perform awf._require_safe_owner();
    perform awf._require_variation(p_experiment_key, p_variation_key);
    perform awf._check_params(
        p_experiment_key, p_variation_key, p_params,
        (select e.guardrails from awf.experiments as e where e.id = v_experiment_id)
    );
    update awf.experiment_variations as v set params = p_params
    where v.experiment_key = p_experiment_key and v.variation_key = p_variation_key;
    return awf._variation_document(p_experiment_key, p_variation_key);
end;
$$;
comment on function awf.update_variation(text, text, jsonb) is
'Replaces the params of a variation and returns it (see create_variation).
Errors: WF101, WF102 (no such experiment or variation), WF108, WF109, WF110 (params).
Example: SELECT awf.update_variation(''token-budget-test'', ''control'', ''{"maxOutputTokens": 1600}'');';

-- 30_assign/_apply_knob.sql
-- What becomes of one value that a variation sets: used as it is, clamped, or refused.
-- Called by _evaluate() for each value.
-- Costs nothing to speak of.
create or replace function awf._apply_knob(p_knob jsonb, p_guardrail jsonb, p_value jsonb, p_current jsonb, p_taken boolean)
returns table (reason text, used jsonb)
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_given numeric;
    v_used numeric;
begin
    if p_knob is null then
        return query select 'unknown_knob', p_current;
    elsif not awf._has_type(p_value, p_knob ->> 'type') then
        return query select 'wrong_type', p_current;
    elsif p_taken then
        return query select 'overlap', p_current;
    elsif jsonb_typeof(p_value) <> 'number' then
        return query select null::text, p_value;
    else
        v_given := (p_value #>> '{}')::numeric;
        -- The lower bound first: where bounds contradict each other, the upper one, which guards the budget, wins.
        v_used := least(
            greatest(v_given, (p_knob ->> 'min')::numeric, (p_guardrail ->> 'min')::numeric),
            (p_knob ->> 'max')::numeric, (p_guardrail ->> 'max')::numeric
        );
        if v_used = v_given then
            return query select null::text, p_value;
        else
            return query select 'out_of_range', to_jsonb(v_used);
        end if;
    end if;
end;
$$;
comment on function awf._apply_knob(jsonb, jsonb, jsonb, jsonb, boolean) is
'reason: NULL, unknown_knob, wrong_type, overlap (an earlier experiment set the knob) or out_of_range; used: the value that counts.';

-- 30_assign/_check_player_hash.sql
-- Refuses a player hash that is none, before a raw player id can be taken for one.
-- Called by assign() and turn_params().
-- Costs one regular expression.
create or replace function awf._check_player_hash(p_player_hash text)
returns void
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_player_hash !~ '^([0-9a-f]{64})?$' then
        raise exception using
            errcode = 'WF001',
            message = format('a player hash of %s characters is none', length(p_player_hash)),
            detail = 'A player hash is 64 lower-case hexadecimal digits; the text is not shown, as it may be a player id.',
            hint = 'Make it with awf.hash_player() or in the client: HMAC-SHA256 of the player id.';
    end if;
end;
$$;
comment on function awf._check_player_hash(text) is 'Raises WF001 unless the text is NULL, empty or 64 lower-case hexadecimal digits.';

-- 30_assign/_evaluate.sql
-- Evaluates a configuration document for one turn: the twin of the Python evaluator, held equal by tests.
-- Called by turn_params().
-- Costs one hash per experiment.
create or replace function awf._evaluate(
    p_config jsonb, p_session_id text, p_player_hash text, p_defaults jsonb, p_at timestamptz
)
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_params jsonb := coalesce(p_defaults, '{}'::jsonb);
    v_exposures jsonb := '[]'::jsonb;
    v_invalid jsonb := '[]'::jsonb;
    v_taken text[] := array[]::text[];
    v_experiment jsonb;
    v_variation jsonb;
    v_knob record;
    v_fault record;
begin
    for v_experiment in select e.value from jsonb_array_elements(p_config -> 'experiments') with ordinality as e order by e.ordinality loop
        v_variation := awf._pick_variation(v_experiment, p_session_id, p_player_hash, p_at);
        continue when v_variation is null;
        v_exposures := v_exposures || jsonb_build_object(
            'experiment', v_experiment -> 'key', 'variation', v_variation -> 'key', 'id', v_variation -> 'id'
        );
        for v_knob in select p.key, p.value from jsonb_each(v_variation -> 'params') as p order by p.key collate "C" loop
            select f.reason, f.used into v_fault from awf._apply_knob(
                p_config -> 'knobs' -> v_knob.key, v_experiment -> 'guardrails' -> v_knob.key, v_knob.value,
                v_params -> v_knob.key, v_knob.key = any (v_taken)
            ) as f;
            if v_fault.reason is not null then
                v_invalid := v_invalid || jsonb_build_object(
                    'experiment', v_experiment -> 'key', 'variation', v_variation -> 'key', 'knob', v_knob.key,
                    'value', v_knob.value, 'reason', v_fault.reason, 'used', v_fault.used
                );
            end if;
            if v_fault.reason is null or v_fault.reason = 'out_of_range' then
                v_params := v_params || jsonb_build_object(v_knob.key, v_fault.used);
                v_taken := v_taken || v_knob.key;
            end if;
        end loop;
    end loop;
    return jsonb_build_object('params', v_params, 'exposures', v_exposures, 'invalid', v_invalid);
end;
$$;
comment on function awf._evaluate(jsonb, text, text, jsonb, timestamptz) is '{params, exposures, invalid} of one turn under a configuration document.';

-- 30_assign/_fnv1a.sql
-- FNV-1a, 32 bits, of a text, over its UTF-16 code units as the JavaScript SDK of GrowthBook reads it.
-- Called by hash_unit().
-- Costs about 0.1 us a character for ASCII, several times that for other text.
create or replace function awf._fnv1a(p_text text)
returns bigint
language plpgsql
immutable
strict
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_hash bigint := 2166136261;
    v_bytes constant bytea := convert_to(p_text, 'UTF8');
    v_point integer;
begin
    if octet_length(v_bytes) = length(p_text) then
        for i in 0 .. octet_length(v_bytes) - 1 loop
            v_hash := ((v_hash # get_byte(v_bytes, i)) * 16777619) & 4294967295;
        end loop;
        return v_hash;
    end if;
    for i in 1 .. length(p_text) loop
        v_point := ascii(substr(p_text, i, 1));
        if v_point >= 65536 then
            -- A surrogate pair: two code units.
            v_hash := ((v_hash # (55296 + ((v_point - 65536) >> 10))) * 16777619) & 4294967295;
            v_point := 56320 + ((v_point - 65536) & 1023);
        end if;
        v_hash := ((v_hash # v_point) * 16777619) & 4294967295;
    end loop;
    return v_hash;
end;
$$;
comment on function awf._fnv1a(text) is
'FNV-1a (Fowler, Noll, Vo; 32 bits: offset basis 2166136261, prime 16777619) over the UTF-16 code units of the text.';

-- 30_assign/_pick_variation.sql
-- The variation that one experiment of the configuration gives a unit at a time.
-- Called by assign() and _evaluate().
-- Costs one hash.
create or replace function awf._pick_variation(p_experiment jsonb, p_session_id text, p_player_hash text, p_at timestamptz)
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_unit constant text := nullif(
        case p_experiment ->> 'hashBasis' when 'player' then p_player_hash else p_session_id end, ''
    );
    v_index integer;
begin
    if v_unit is null
        or (p_experiment ->> 'startAt')::timestamptz > p_at
        or (p_experiment ->> 'stopAt')::timestamptz <= p_at then
        return null;
    end if;
    v_index := awf.choose_variation(
        awf.hash_unit(p_experiment ->> 'hashSeed', v_unit, (p_experiment -> 'hashVersion')::integer),
        p_experiment -> 'ranges'
    );
    -- A JSON array counts -1 from its end.
    return case when v_index >= 0 then p_experiment -> 'variations' -> v_index end;
end;
$$;
comment on function awf._pick_variation(jsonb, text, text, timestamptz) is 'The chosen entry of the experiment''s variations; NULL when the unit is out.';

-- 30_assign/assign.sql
-- The variation of one experiment for a unit.
-- Called by services and analysts; a client with a configuration document computes the same by itself.
-- Costs a few lookups and one hash.
create or replace function awf.assign(
    p_experiment_key text,
    p_session_id text,
    p_player_hash text default null,
    p_attributes jsonb default '{}',
    p_at timestamptz default null
)
returns text
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._find_experiment(p_experiment_key);
begin
    perform awf._require_safe_owner();
    perform awf._check_player_hash(p_player_hash);
    return (
        select awf._pick_variation(
            awf._experiment_config(e.id), p_session_id, p_player_hash, coalesce(p_at, awf._now())
        ) ->> 'key'
        from awf.experiments as e
        where e.id = v_id and e.status = 'running'
    );
end;
$$;
comment on function awf.assign(text, text, text, jsonb, timestamptz) is
'Key of the variation that the experiment gives the unit (the session id or the player hash, as its hash basis says), or NULL when
the unit is not in: the experiment does not run at p_at (default: now), the coverage leaves the unit out, or the unit is missing.
The same unit gets the same answer at every call. Assigning records nothing: an exposure comes with the turn''s event.
p_attributes: what is known of the turn, {} for nothing.
Errors: WF101 (no such experiment), WF001 (a player hash that is none).
Example: SELECT awf.assign(''token-budget-test'', ''session-1'');';

-- 30_assign/bucket_ranges.sql
-- Cuts [0, 1) into one range per variation, as the GrowthBook SDKs do.
-- Called when a configuration is built.
-- Costs nothing to speak of.
create or replace function awf.bucket_ranges(p_variations integer, p_coverage double precision, p_weights double precision[])
returns jsonb
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_coverage constant double precision := least(greatest(coalesce(p_coverage, 1), 0), 1);
    v_weights double precision[] := p_weights;
    v_sum double precision := 0;
    v_low double precision := 0;
    v_width double precision;
    v_ranges jsonb := '[]'::jsonb;
begin
    -- Summed one by one from the left: sum() over floats may take another order, and another result.
    for i in 1 .. coalesce(cardinality(v_weights), 0) loop
        v_sum := v_sum + v_weights[i];
    end loop;
    if coalesce(cardinality(v_weights), 0) <> p_variations or v_sum < 0.99 or v_sum > 1.01 then
        v_weights := awf.equal_weights(p_variations);
    end if;
    for i in 1 .. cardinality(v_weights) loop
        -- PostgreSQL refuses a product that is too small for a float; to a hash of four decimals it is zero.
        v_width := case when v_coverage < 1e-100 or abs(v_weights[i]) < 1e-100 then 0 else v_coverage * v_weights[i] end;
        v_ranges := v_ranges || jsonb_build_array(jsonb_build_array(v_low, v_low + v_width));
        v_low := v_low + v_weights[i];
    end loop;
    return v_ranges;
end;
$$;
comment on function awf.bucket_ranges(integer, double precision, double precision[]) is
'[[low, high), ...], one range per variation in order, as the GrowthBook SDKs compute it. Each variation begins at the sum of the
weights before it and is as wide as coverage x weight, so raising the coverage widens ranges and moves nobody to another.
Coverage is clamped to 0..1; weights that do not fit the number of variations or do not sum to 1 are replaced by equal ones.
Example: SELECT awf.bucket_ranges(2, 0.5, null);  -- [[0, 0.25], [0.5, 0.75]]';

-- 30_assign/choose_variation.sql
-- The range a number falls into.
-- Called by assign() and turn_params().
-- Costs a walk over the ranges.
create or replace function awf.choose_variation(p_n double precision, p_ranges jsonb)
returns integer
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_ranges) is distinct from 'array' then
        return -1;
    end if;
    for i in 0 .. jsonb_array_length(p_ranges) - 1 loop
        if p_n >= (p_ranges -> i -> 0)::double precision and p_n < (p_ranges -> i -> 1)::double precision then
            return i;
        end if;
    end loop;
    return -1;
end;
$$;
comment on function awf.choose_variation(double precision, jsonb) is
'Index (from 0) of the first range [low, high) that holds the number; -1 when none does.
Example: SELECT awf.choose_variation(0.6, ''[[0, 0.5], [0.5, 1]]'');  -- 1';

-- 30_assign/equal_weights.sql
-- The same weight for each of n variations.
-- Called by bucket_ranges().
-- Costs nothing to speak of.
create or replace function awf.equal_weights(p_n integer)
returns double precision[]
language sql
immutable
parallel safe
return case
    when p_n >= 1 then array_fill(1 / p_n::double precision, array[p_n])
    else array[]::double precision[]
end;
comment on function awf.equal_weights(integer) is
'n weights of 1/n each; an empty array when n < 1.
Example: SELECT awf.equal_weights(2);  -- {0.5,0.5}';

-- 30_assign/hash_unit.sql
-- The assignment hash: where in [0, 1) a unit falls under a seed.
-- Called by assign(), turn_params() and anybody who wants to follow an assignment.
-- Costs two FNV-1a runs (version 2) or one (version 1).
create or replace function awf.hash_unit(p_seed text, p_value text, p_hash_version integer)
returns double precision
language plpgsql
immutable
strict
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return case p_hash_version
        when 2 then (awf._fnv1a(awf._fnv1a(p_seed || p_value)::text) % 10000) / 10000.0::double precision
        when 1 then (awf._fnv1a(p_value || p_seed) % 1000) / 1000.0::double precision
    end;
end;
$$;
comment on function awf.hash_unit(text, text, integer) is
'Number in [0, 1) for a unit, as the GrowthBook SDKs compute it (hash versions 1 and 2; NULL for any other).
Version 2: FNV-1a(FNV-1a(seed + value) as decimal text) mod 10000 / 10000. Version 1: FNV-1a(value + seed) mod 1000 / 1000.
Source: GrowthBook SDK specification 0.8.
Example: SELECT awf.hash_unit(''token-budget-test'', ''session-1'', 2);';

-- 30_assign/turn_params.sql
-- The parameters of one turn: defaults, overlaid with what the experiments in force set, within the guardrails.
-- Called by services that do not evaluate locally.
-- Costs active_config() and one hash per experiment.
create or replace function awf.turn_params(
    p_session_id text,
    p_player_hash text,
    p_defaults jsonb default '{}',
    p_attributes jsonb default '{}',
    p_at timestamptz default null
)
returns jsonb
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    perform awf._check_player_hash(p_player_hash);
    if jsonb_typeof(p_defaults) <> 'object' then
        raise exception using
            errcode = 'WF001',
            message = format('defaults cannot be %s', left(p_defaults::text, 200)),
            hint = 'Give an object like {"maxOutputTokens": 1000}.';
    end if;
    return awf._evaluate(awf.active_config(), p_session_id, p_player_hash, p_defaults, coalesce(p_at, awf._now()));
end;
$$;
comment on function awf.turn_params(text, text, jsonb, jsonb, timestamptz) is
'{"params": {...}, "exposures": [{"experiment", "variation", "id"}, ...], "invalid": [...]} for one turn.
params: p_defaults overlaid with the params of the unit''s variations. Experiments apply in the order of (start_at, creation); a knob
that one has set is not set again by a later one. exposures: give them to record_turn() as "assignments".
invalid: {"experiment", "variation", "knob", "value", "reason", "used"} for each value that was not taken as it stands; reason is
out_of_range (clamped to the nearest bound), wrong_type, unknown_knob (the default stays) or overlap (the earlier value stays).
Errors: WF001 (a player hash that is none, defaults that are no object).
Example: SELECT awf.turn_params(''session-1'', NULL, ''{"maxOutputTokens": 1000}'');';

-- 40_ingest/_add_dimensions.sql
-- Adds the texts that a dictionary lacks.
-- Called by whatever stores events.
-- New texts go in byte order, so that two writers never wait for each other in a circle.
create or replace function awf._add_dimensions(p_kind text, p_values text[])
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
begin
    -- enable_seqscan is off: a dictionary that was never analyzed would else be scanned for every text.
    insert into awf.dimensions (kind, value)
    select p_kind, t.value
    from (select distinct u.value collate "C" as value from unnest(p_values) as u (value)) as t
    where length(t.value) between 1 and 200 and (p_kind <> 'locale' or awf._is_locale(t.value))
        and not exists (select from awf.dimensions as d where d.kind = p_kind and d.value = t.value)
    order by t.value
    on conflict (kind, value) do nothing;
end;
$$;
comment on function awf._add_dimensions(text, text[]) is 'Adds new texts of 1 to 200 characters to the dictionary of a kind; as locales, only what can be one.';

-- 40_ingest/_add_stage_dimensions.sql
-- Adds the texts of the good staged rows to the dictionaries.
-- Called by ingest_batch().
-- Costs a scan of the stage for each dictionary.
create or replace function awf._add_stage_dimensions()
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._add_dimensions('adventure', array(select distinct s.adventure_ref from pg_temp.awf_stage as s where s.fault is null));
    perform awf._add_dimensions('locale', array(select distinct s.locale from pg_temp.awf_stage as s where s.fault is null));
    perform awf._add_dimensions('model', array(select distinct s.model from pg_temp.awf_stage as s where s.fault is null));
    perform awf._add_dimensions('world', array(select distinct s.world_ref from pg_temp.awf_stage as s where s.fault is null));
end;
$$;
comment on function awf._add_stage_dimensions() is 'Gives every text of the staged events its dictionary number.';

-- 40_ingest/_assignments_fault.sql
-- Says which variation of an event document does not exist.
-- Called by _document_fault().
-- Costs one lookup for each variation.
create or replace function awf._assignments_fault(p_event jsonb)
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select format('unknown_variation: experiment "%s" has no variation "%s"', left(a.experiment, 80), left(a.variation, 80))
        from awf._event_variations(p_event) as a
        where awf._variation_id(a.experiment, a.variation) is null
        order by a.place
        limit 1
    );
end;
$$;
comment on function awf._assignments_fault(jsonb) is '"unknown_variation: which one"; NULL when all of them exist.';

-- 40_ingest/_assignments_remain.sql
-- The assignments of a refused event that may be kept: numbers, or the keys of an experiment and a variation.
-- Called by _event_remains().
-- Costs a walk over the list.
create or replace function awf._assignments_remain(p_assignments jsonb)
returns jsonb
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_assignments) <> 'array' then
        return null;
    end if;
    return (
        select jsonb_agg(case jsonb_typeof(a.entry)
            when 'number' then a.entry
            else jsonb_build_object('experiment', left(a.entry ->> 'experiment', 63), 'variation', left(a.entry ->> 'variation', 63))
        end order by a.place)
        from jsonb_array_elements(p_assignments) with ordinality as a (entry, place)
        where jsonb_typeof(a.entry) in ('number', 'object')
    );
end;
$$;
comment on function awf._assignments_remain(jsonb) is 'The list''s numbers and keys; NULL when there are none.';

-- 40_ingest/_check_window.sql
-- Refuses a day outside the accepted window, before a typing error makes a partition in the year 9999.
-- Called by _ensure_partition().
-- Costs two settings.
create or replace function awf._check_window(p_day date)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_window record;
begin
    select w.oldest, w.newest into v_window from awf._event_window() as w;
    if p_day is null or not isfinite(p_day)
        or p_day not between (v_window.oldest at time zone 'UTC')::date and (v_window.newest at time zone 'UTC')::date then
        raise exception using
            errcode = 'WF203',
            message = format('day %s lies outside the accepted window', coalesce(p_day::text, 'NULL')),
            detail = format('Accepted: %s to %s.', v_window.oldest, v_window.newest),
            hint = 'The window is set by ingest_max_age_days and ingest_max_future_minutes: awf.set_setting().';
    end if;
end;
$$;
comment on function awf._check_window(date) is 'Raises WF203 when the day lies outside the accepted window.';

-- 40_ingest/_copy_columns.sql
-- The columns that a writer may set, in the order of the direct COPY.
-- Called by _protect_partition().
-- Costs nothing: a constant.
create or replace function awf._copy_columns()
returns text
language sql
immutable
parallel safe
return
'ts, id, session_id, player_hash, world_id, adventure_id, locale_id, model_id, assignments, failed, '
|| 'turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens, retries, fallbacks, tool_calls, acts, choices, '
|| 'time_advance_ticks, extra';
comment on function awf._copy_columns() is 'Comma-separated columns of turn_events that writers may INSERT.';

-- 40_ingest/_dimension_id.sql
-- The dictionary number of one text, made if it is missing.
-- Called by _record_event().
-- Costs one lookup.
create or replace function awf._dimension_id(p_kind text, p_value text)
returns integer
language plpgsql
volatile
strict
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id integer;
begin
    select d.id into v_id from awf.dimensions as d where d.kind = p_kind and d.value = p_value;
    if v_id is null then
        perform awf._add_dimensions(p_kind, array[p_value]);
        select d.id into v_id from awf.dimensions as d where d.kind = p_kind and d.value = p_value;
    end if;
    return v_id;
end;
$$;
comment on function awf._dimension_id(text, text) is 'Number of a text in the dictionary of a kind; NULL for NULL.';

-- 40_ingest/_document_fault.sql
-- Says what cannot be read in an event document: wrong types, unknown fields, variations that do not exist.
-- Called by _parse_event(). What can be read but is not accepted is found by _event_fault().
-- Costs a walk over the document.
create or replace function awf._document_fault(p_event jsonb)
returns text
language plpgsql
stable
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_metrics constant jsonb := awf._event_metrics(p_event);
begin
    if jsonb_typeof(p_event) is distinct from 'object' then
        return format('not_an_object: the event is %s', coalesce(jsonb_typeof(p_event), 'NULL'));
    elsif p_event - awf._event_fields() <> '{}'::jsonb then
        return (
            select format('unknown_field: there is no field "%s"', left(min(f.key), 60))
            from jsonb_object_keys(p_event - awf._event_fields()) as f (key)
        );
    elsif p_event ->> 'id' !~* '^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$' then
        return format('bad_id: id is "%s", not a UUID', left(p_event ->> 'id', 40));
    elsif p_event ->> 'ts' is not null and awf._to_timestamp(p_event ->> 'ts') is null then
        return format('bad_ts: ts is "%s", not a time', left(p_event ->> 'ts', 40));
    elsif coalesce(p_event ->> 'player_hash', p_event ->> 'playerHash') !~* '^[0-9a-f]{64}$' then
        return 'bad_player_hash: player_hash is not 64 hexadecimal digits';
    elsif jsonb_typeof(v_metrics) <> 'object' then
        return format('bad_metric: metrics is %s, not an object', jsonb_typeof(v_metrics));
    elsif coalesce(jsonb_typeof(p_event -> 'assignments'), 'null') not in ('array', 'null') then
        return format('bad_assignments: assignments is %s, not a list', jsonb_typeof(p_event -> 'assignments'));
    end if;
    return coalesce(awf._metrics_fault(v_metrics), awf._assignments_fault(p_event));
end;
$$;
comment on function awf._document_fault(jsonb) is '"reason: what is wrong" with an event document; NULL when it can be read.';

-- 40_ingest/_ensure_partition.sql
-- Makes the partition of a day where it is missing, ready for writers.
-- Called by whatever stores events, before the first row.
-- A new partition takes SHARE UPDATE EXCLUSIVE on turn_events and a row of locks until the transaction ends.
create or replace function awf._ensure_partition(p_day date)
returns regclass
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
declare
    v_name constant text := 'turn_events_' || to_char(p_day, 'YYYYMMDD');
begin
    if awf._partition_of(v_name) is null then
        perform awf._check_window(p_day);
        perform from awf.locks as l where l.name = 'partitions' for update;
        if awf._partition_of(v_name) is null then
            -- Not CREATE ... PARTITION OF, which locks out every reader and writer of turn_events.
            execute format('create table awf.%I (like awf.turn_events including all)', v_name);
            execute format(
                'alter table awf.turn_events attach partition awf.%I for values from (%L) to (%L)',
                v_name, p_day::timestamp at time zone 'UTC', (p_day + 1)::timestamp at time zone 'UTC'
            );
            perform awf._protect_partition(format('awf.%I', v_name)::regclass);
        end if;
    end if;
    return awf._partition_of(v_name);
end;
$$;
comment on function awf._ensure_partition(date) is
'The partition of turn_events for a day (UTC), made if need be; raises WF203 for a day outside the accepted window.';

-- 40_ingest/_event_assignments.sql
-- The numbers of the variations that an event document names.
-- Called by _parse_event().
-- Costs one lookup for each variation.
create or replace function awf._event_assignments(p_event jsonb)
returns integer[]
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select array_agg(awf._variation_id(a.experiment, a.variation) order by a.place)
        from awf._event_variations(p_event) as a
    );
end;
$$;
comment on function awf._event_assignments(jsonb) is 'Numbers (variation_ids) of the event''s variations, in order; NULL for none.';

-- 40_ingest/_event_fault.sql
-- Says what is wrong with an event, field by field: the one place where an event is judged.
-- Called for every event that does not come by direct COPY, whose table has constraints to the same effect.
-- Costs a few microseconds.
create or replace function awf._event_fault(
    p_ts timestamptz,
    p_id uuid,
    p_session_id text,
    p_player_hash bytea,
    p_world_ref text,
    p_adventure_ref text,
    p_locale text,
    p_model text,
    p_assignments integer[],
    p_metrics bigint[],
    p_extra jsonb,
    p_oldest timestamptz,
    p_newest timestamptz,
    p_variation_ids integer[]
)
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- No subquery in here: a plain expression is evaluated five times as fast.
    return case
        when p_id is null then 'bad_id: id is missing'
        when p_ts is null then 'bad_ts: ts is missing'
        when not p_ts between p_oldest and p_newest
            then format('ts_out_of_window: ts is %s; accepted is %s to %s', p_ts, p_oldest, p_newest)
        when coalesce(p_session_id, '') = '' then 'missing_session: session_id is missing'
        when length(p_session_id) > 200 then format('too_long: session_id has %s characters, more than 200', length(p_session_id))
        when p_player_hash is null then 'missing_player: player_hash is missing'
        when octet_length(p_player_hash) <> 32
            then format('bad_player_hash: player_hash has %s bytes, not 32', octet_length(p_player_hash))
        when coalesce(p_world_ref, '') = '' then 'missing_world: world_ref is missing'
        when length(p_world_ref) > 200 then format('too_long: world_ref has %s characters, more than 200', length(p_world_ref))
        when coalesce(p_adventure_ref, '') = '' then 'missing_adventure: adventure_ref is missing'
        when length(p_adventure_ref) > 200
            then format('too_long: adventure_ref has %s characters, more than 200', length(p_adventure_ref))
        when awf._is_locale(p_locale) is not true
            then format('bad_locale: locale is "%s", not one like en-US', left(p_locale, 40))
        when length(p_model) not between 1 and 200 then format('too_long: model has %s characters, not 1 to 200', length(p_model))
        when array_ndims(p_assignments) > 1 then 'bad_assignments: assignments has more than one dimension'
        when not p_assignments <@ p_variation_ids or array_position(p_assignments, null) is not null
            then format('unknown_variation: assignments %s name a variation that does not exist', p_assignments)
        when 0 > any (p_metrics) or 2147483647 < any (p_metrics) then awf._metric_out_of_range(p_metrics)
        when jsonb_typeof(p_extra) <> 'object' then format('bad_extra: extra is %s, not an object', jsonb_typeof(p_extra))
        when octet_length(p_extra::text) > 8192
            then format('too_long: extra takes %s bytes, more than 8192', octet_length(p_extra::text))
        when jsonb_path_exists(p_extra, 'strict $.* ? (@.type() != "number" && @.type() != "boolean")')
            then coalesce(awf._metrics_fault(p_extra), 'bad_extra: metric "model" is not a number or boolean')
    end;
end;
$$;
comment on function awf._event_fault(
    timestamptz, uuid, text, bytea, text, text, text, text, integer[], bigint[], jsonb, timestamptz, timestamptz, integer[]
) is '"reason: what is wrong", naming the field and the value; NULL for a good event. Metrics in the order of _metric_columns().';

-- 40_ingest/_event_fields.sql
-- The fields of an event, by their snake_case and camelCase names and those of the staging table.
-- Called by _event_remains() and _parse_event().
-- Costs nothing: a constant.
create or replace function awf._event_fields()
returns text[]
language sql
immutable
parallel safe
return array[
    'id', 'ts', 'session_id', 'sessionId', 'player_hash', 'playerHash', 'player_id', 'playerId', 'world_ref', 'worldRef',
    'adventure_ref', 'adventureRef', 'locale', 'model', 'experiment_key', 'experimentKey', 'variation_key', 'variationKey',
    'assignments', 'metrics', 'created_at', 'createdAt'
];
comment on function awf._event_fields() is 'Names that an event''s fields may have.';

-- 40_ingest/_event_metrics.sql
-- The metrics of an event document under their standard names; turn_latency_ms is read as turnLatencyMs.
-- Called by _parse_event() and _document_fault().
-- Costs a walk over the metrics.
create or replace function awf._event_metrics(p_event jsonb)
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_event -> 'metrics') is distinct from 'object' then
        return coalesce(nullif(p_event -> 'metrics', 'null'::jsonb), '{}'::jsonb);
    end if;
    return (
        select coalesce(jsonb_object_agg(coalesce(m.name, x.key), x.value) filter (where x.value <> 'null'), '{}')
        from jsonb_each(p_event -> 'metrics') as x
        left join awf.metrics as m on x.key in (m.name, m.snake_name)
    );
end;
$$;
comment on function awf._event_metrics(jsonb) is 'The metrics document of an event, standard names in camelCase, without nulls; {} when there is none.';

-- 40_ingest/_event_player.sql
-- The player hash of an event document: as given, or of its player id, which goes no further.
-- Called by _parse_event().
-- Costs an HMAC where the document has a player id.
create or replace function awf._event_player(p_event jsonb)
returns bytea
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_hash constant text := coalesce(p_event ->> 'player_hash', p_event ->> 'playerHash');
begin
    return decode(
        coalesce(v_hash, awf.hash_player(nullif(coalesce(p_event ->> 'player_id', p_event ->> 'playerId'), ''))), 'hex'
    );
end;
$$;
comment on function awf._event_player(jsonb) is 'Player hash of an event document, 32 bytes; NULL when it names no player.';

-- 40_ingest/_event_remains.sql
-- What may be kept of a refused event: ids and names cut short, numbers and booleans, and nothing else.
-- Called wherever an event is refused.
-- Costs a walk over the document.
create or replace function awf._event_remains(p_event jsonb)
returns jsonb
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_event) is distinct from 'object' then
        return '{}'::jsonb;
    end if;
    return (
        select coalesce(jsonb_object_agg(left(f.key, 100), r.value) filter (where r.value is not null), '{}')
        from jsonb_each(p_event) as f
        cross join lateral (
            select case
                when jsonb_typeof(f.value) in ('number', 'boolean') then f.value
                when f.key in ('player_hash', 'playerHash') then awf._hash_remains(f.value)
                when f.key in ('player_id', 'playerId') or f.key <> all (awf._event_fields() || 'extra'::text) then null
                when f.key in ('metrics', 'extra') then awf._numbers_in(f.value)
                when f.key = 'assignments' then awf._assignments_remain(f.value)
                when jsonb_typeof(f.value) = 'string' then to_jsonb(left(f.value #>> '{}', 200))
            end as value
        ) as r
    );
end;
$$;
comment on function awf._event_remains(jsonb) is 'The event without free text and without anything that may be a player id.';

-- 40_ingest/_event_variations.sql
-- The variations that an event document names: the list "assignments", or else its one experiment and variation key.
-- Called by _assignments_fault() and _event_assignments().
-- Costs a walk over the list.
create or replace function awf._event_variations(p_event jsonb)
returns table (experiment text, variation text, place bigint)
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_event -> 'assignments') = 'array' then
        return query
        select a.entry ->> 'experiment', a.entry ->> 'variation', a.place
        from jsonb_array_elements(p_event -> 'assignments') with ordinality as a (entry, place);
    else
        return query
        select k.experiment, k.variation, 1::bigint
        from (
            select
                coalesce(p_event ->> 'experiment_key', p_event ->> 'experimentKey') as experiment,
                coalesce(p_event ->> 'variation_key', p_event ->> 'variationKey') as variation
        ) as k
        where k.experiment is not null or k.variation is not null;
    end if;
end;
$$;
comment on function awf._event_variations(jsonb) is 'Experiment and variation keys of an event document, in order.';

-- 40_ingest/_event_window.sql
-- The accepted time of events.
-- Called wherever events come in.
-- Costs two settings.
create or replace function awf._event_window()
returns table (oldest timestamptz, newest timestamptz)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return query select
        awf._now() - awf._setting_number('ingest_max_age_days')::double precision * interval '1 day',
        awf._now() + awf._setting_number('ingest_max_future_minutes')::double precision * interval '1 minute';
end;
$$;
comment on function awf._event_window() is 'Oldest and newest accepted ts, from the settings.';

-- 40_ingest/_guard_copy.sql
-- Trigger: refuses rows in a partition unless the very transaction has opened a batch for that day.
-- Called once for each statement that inserts into a partition by name; inserts through turn_events do not fire it.
-- Costs one index lookup.
create or replace function awf._guard_copy()
returns trigger
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_batch_id bigint;
    v_day date;
    v_path text;
begin
    perform awf._require_safe_owner();
    select l.batch_id, l.day, l.path into v_batch_id, v_day, v_path
    from awf.ingest_log as l
    where l.xid = pg_current_xact_id() and l.rolled_up_at is null and l.opened_at = now()
    order by l.batch_id desc
    limit 1;
    -- batch_id defaults to the last number this session drew: after a single event, or a batch that was rolled back to a
    -- savepoint, that is another one, and the rows would belong to nobody.
    if v_batch_id is null or v_path <> 'direct' or v_batch_id <> currval('awf.ingest_log_batch_id_seq')
        or tg_table_name <> 'turn_events_' || to_char(v_day, 'YYYYMMDD') then
        raise exception using
            errcode = 'WF202',
            message = format('this transaction has no open batch for "%s"', tg_table_name),
            hint = 'Call awf.open_batch(day, rows) and COPY into the table it names, in the same transaction, a day at a time.';
    end if;
    return null;
end;
$$;
comment on function awf._guard_copy() is 'Trigger function: raises WF202 unless this transaction''s newest batch is for the partition''s day.';

-- 40_ingest/_hash_remains.sql
-- A player hash of a refused event, if it is one; anything else may be a player id.
-- Called by _event_remains().
-- Costs one regular expression.
create or replace function awf._hash_remains(p_value jsonb)
returns jsonb
language sql
immutable
parallel safe
return case when p_value #>> '{}' ~ '^(\\x)?[0-9A-Fa-f]{64}$' then p_value end;
comment on function awf._hash_remains(jsonb) is 'The value when it is 64 hexadecimal digits (with or without \x), else NULL.';

-- 40_ingest/_ingest_stage_day.sql
-- Stores the good staged rows of one day.
-- Called by ingest_batch() for each day.
-- Writes one row of the ingest log; takes the locks of _ensure_partition() for a new day.
create or replace function awf._ingest_stage_day(p_day date)
returns table (stored integer, left_out integer)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_batch_id bigint;
    v_rows integer;
    v_stored integer;
begin
    perform awf._ensure_partition(p_day);
    insert into awf.ingest_log (day, path, role_name) values (p_day, 'careful', awf._caller()) returning batch_id into v_batch_id;
    select count(*) into v_rows
    from pg_temp.awf_stage as s
    where s.fault is null and s.ts >= p_day::timestamp at time zone 'UTC' and s.ts < (p_day + 1)::timestamp at time zone 'UTC';
    insert into awf.turn_events (
        ts, id, batch_id, session_id, player_hash, world_id, adventure_id, locale_id, model_id, assignments, failed,
        turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens, retries,
        fallbacks, tool_calls, acts, choices, time_advance_ticks, extra
    )
    select
        s.ts, s.id, v_batch_id, s.session_id, s.player_hash, w.id, a.id, l.id, m.id, nullif(s.assignments, '{}'),
        coalesce(s.failed, false),
        s.turn_latency_us, s.model_latency_us, s.bundle_us, s.bundle_tokens, s.output_tokens, s.retries,
        s.fallbacks, s.tool_calls, s.acts, s.choices, s.time_advance_ticks, nullif(s.extra, '{}')
    from pg_temp.awf_stage as s
    inner join awf.dimensions as w on w.kind = 'world' and s.world_ref = w.value
    inner join awf.dimensions as a on a.kind = 'adventure' and s.adventure_ref = a.value
    inner join awf.dimensions as l on l.kind = 'locale' and s.locale = l.value
    left join awf.dimensions as m on m.kind = 'model' and s.model = m.value
    where s.fault is null and s.ts >= p_day::timestamp at time zone 'UTC' and s.ts < (p_day + 1)::timestamp at time zone 'UTC'
    on conflict (id, ts) do nothing;
    get diagnostics v_stored = row_count;
    -- The log row is this transaction's own and still invisible to others, so this update never waits.
    update awf.ingest_log as l set rows = v_stored, duplicates = v_rows - v_stored where l.batch_id = v_batch_id;
    return query select v_stored, v_rows - v_stored;
end;
$$;
comment on function awf._ingest_stage_day(date) is 'Stores the good staged rows of a day (UTC): how many were stored, how many were there already.';

-- 40_ingest/_insert_analytics_event.sql
-- Trigger: stores a row inserted into the view analytics_events.
-- Called for each row.
-- Costs what record_turn() costs.
create or replace function awf._insert_analytics_event()
returns trigger
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    new.id := awf._record_event(to_jsonb(new) - 'created_at');
    return new;
end;
$$;
comment on function awf._insert_analytics_event() is 'Trigger function: INSERT on analytics_events.';

-- 40_ingest/_insert_batch.sql
-- The batch of this transaction's single events of a day, opened with the first of them.
-- Called by _record_event().
-- Writes one row of the ingest log for each transaction and day; takes the locks of _ensure_partition() for a new day.
create or replace function awf._insert_batch(p_day date)
returns bigint
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_batch_id bigint;
begin
    select l.batch_id into v_batch_id
    from awf.ingest_log as l
    where l.xid = pg_current_xact_id() and l.day = p_day and l.rolled_up_at is null and l.opened_at = now() and l.path = 'insert'
    limit 1;
    if v_batch_id is null then
        perform awf._ensure_partition(p_day);
        insert into awf.ingest_log (day, path, role_name) values (p_day, 'insert', awf._caller()) returning batch_id into v_batch_id;
    end if;
    return v_batch_id;
end;
$$;
comment on function awf._insert_batch(date) is 'Number of the batch for single events of this transaction and day (UTC).';

-- 40_ingest/_is_locale.sql
-- Says whether a text has the form of a locale: en, en-US, zh-Hant-TW.
-- Called wherever a locale comes in.
-- Costs one regular expression.
create or replace function awf._is_locale(p_text text)
returns boolean
language sql
immutable
parallel safe
return p_text ~ '^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,6}$';
comment on function awf._is_locale(text) is 'True for a language tag, with its parts joined by "-" or "_"; NULL for NULL.';

-- 40_ingest/_metric_columns.sql
-- The metric columns of turn_events in the order of their numbers (table metrics).
-- Called wherever metrics travel as an array.
-- Costs nothing: a constant.
create or replace function awf._metric_columns()
returns text[]
language sql
immutable
parallel safe
return array[
    'turn_latency_us', 'model_latency_us', 'bundle_us', 'bundle_tokens', 'output_tokens', 'retries', 'fallbacks', 'tool_calls',
    'acts', 'choices', 'time_advance_ticks'
];
comment on function awf._metric_columns() is 'Names of the metric columns, metric 1 first.';

-- 40_ingest/_metric_out_of_range.sql
-- Names the first metric that does not fit its column.
-- Called by _event_fault() where there is one.
-- Costs a walk over the metrics.
create or replace function awf._metric_out_of_range(p_metrics bigint[])
returns text
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select format('bad_metric: %s is %s; it must lie between 0 and 2147483647', n.name, m.value)
        from unnest(p_metrics) with ordinality as m (value, place)
        inner join unnest(awf._metric_columns()) with ordinality as n (name, place) on m.place = n.place
        where m.value not between 0 and 2147483647
        order by m.place
        limit 1
    );
end;
$$;
comment on function awf._metric_out_of_range(bigint[]) is
'"bad_metric: which and what" for the first metric outside 0 to 2147483647; metrics in the order of _metric_columns().';

-- 40_ingest/_metrics_fault.sql
-- Says which metric of an event document cannot be stored.
-- Called by _document_fault().
-- Costs a walk over the metrics.
create or replace function awf._metrics_fault(p_metrics jsonb)
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select case
            when m.id = 0 and jsonb_typeof(x.value) <> 'boolean' then format('bad_metric: failed is of type %s, not true or false', jsonb_typeof(x.value))
            when m.id > 0 and jsonb_typeof(x.value) <> 'number'
                then format('bad_metric: %s is of type %s, not a number', x.key, jsonb_typeof(x.value))
            when m.id > 0 and not v.number * m.scale between 0 and 2147483647
                then format('bad_metric: %s is %s; it must lie between 0 and %s', x.key, left(x.value::text, 40), trunc(2147483647.0 / m.scale, 3))
            when m.id > 0 and m.scale = 1 and v.number % 1 <> 0
                then format('bad_metric: %s is %s, not a whole number', x.key, left(x.value::text, 40))
            when m.id is null and jsonb_typeof(x.value) not in ('number', 'boolean')
                then format('bad_extra: metric "%s" is of type %s, not a number or boolean', left(x.key, 60), jsonb_typeof(x.value))
        end as fault
        from jsonb_each(p_metrics) as x
        left join awf.metrics as m on x.key = m.name
        cross join lateral (select case when jsonb_typeof(x.value) = 'number' then (x.value #>> '{}')::numeric end) as v (number)
        where x.key <> 'model'
        order by fault nulls last
        limit 1
    );
end;
$$;
comment on function awf._metrics_fault(jsonb) is '"reason: what is wrong" with a metrics document; NULL when all of it can be stored.';

-- 40_ingest/_new_id.sql
-- A UUIDv7: the time in milliseconds, then chance.
-- Called for events that come without an id.
-- Costs a random UUID.
create or replace function awf._new_id()
returns uuid
language plpgsql
volatile
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_bytes bytea := overlay(
        uuid_send(gen_random_uuid())
        placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1
    );
begin
    -- RFC 9562: version 7 in the upper half of byte 6.
    v_bytes := set_byte(v_bytes, 6, (get_byte(v_bytes, 6) & 15) | 112);
    return encode(v_bytes, 'hex')::uuid;
end;
$$;
comment on function awf._new_id() is 'A new UUIDv7 (RFC 9562).';

-- 40_ingest/_numbers_in.sql
-- The metrics of a refused event that may be kept.
-- Called by _event_remains().
-- Costs a walk over the document.
create or replace function awf._numbers_in(p_metrics jsonb)
returns jsonb
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_metrics) <> 'object' then
        return null;
    end if;
    return (
        select coalesce(jsonb_object_agg(left(x.key, 100), x.value), '{}')
        from jsonb_each(p_metrics) as x
        where jsonb_typeof(x.value) in ('number', 'boolean')
    );
end;
$$;
comment on function awf._numbers_in(jsonb) is 'The numbers and booleans of an object; NULL when it is none.';

-- 40_ingest/_pad_key.sql
-- Pads an HMAC key to the block size of SHA-256 and XORs it with a byte.
-- Called by set_player_hash_key().
-- Costs 64 steps.
create or replace function awf._pad_key(p_key bytea, p_byte integer)
returns bytea
language plpgsql
immutable
strict
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_pad bytea := p_key || decode(repeat('00', 64 - octet_length(p_key)), 'hex');
begin
    for i in 0 .. 63 loop
        v_pad := set_byte(v_pad, i, get_byte(v_pad, i) # p_byte);
    end loop;
    return v_pad;
end;
$$;
comment on function awf._pad_key(bytea, integer) is 'The key, filled with zeros to 64 bytes, each XORed with the byte (RFC 2104).';

-- 40_ingest/_parse_event.sql
-- Reads an event document into columns, or says what cannot be read.
-- Called by record_turn(), record_turns() and INSERT on analytics_events.
-- Costs a walk over the document.
create or replace function awf._parse_event(
    p_event jsonb,
    out ts timestamptz,
    out id uuid,
    out session_id text,
    out player_hash bytea,
    out world_ref text,
    out adventure_ref text,
    out locale text,
    out model text,
    out assignments integer[],
    out failed boolean,
    out metrics bigint[],
    out extra jsonb,
    out fault text
)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_metrics constant jsonb := awf._event_metrics(p_event);
begin
    fault := awf._document_fault(p_event);
    if fault is not null then
        return;
    end if;
    id := coalesce((p_event ->> 'id')::uuid, awf._new_id());
    ts := case when p_event ->> 'ts' is null then awf._now() else awf._to_timestamp(p_event ->> 'ts') end;
    session_id := coalesce(p_event ->> 'session_id', p_event ->> 'sessionId');
    player_hash := awf._event_player(p_event);
    world_ref := coalesce(p_event ->> 'world_ref', p_event ->> 'worldRef');
    adventure_ref := coalesce(p_event ->> 'adventure_ref', p_event ->> 'adventureRef');
    locale := coalesce(p_event ->> 'locale', 'en-US');
    model := coalesce(p_event ->> 'model', v_metrics ->> 'model');
    assignments := awf._event_assignments(p_event);
    failed := coalesce((v_metrics ->> 'failed')::boolean, false);
    select
        array_agg(round((v_metrics ->> m.name)::numeric * m.scale)::bigint order by m.id),
        v_metrics - array_agg(m.name) - array['failed', 'model']
    into metrics, extra
    from awf.metrics as m
    where m.id > 0;
end;
$$;
comment on function awf._parse_event(jsonb) is
'The event document as columns; metrics in stored units, in the order of _metric_columns(). fault is "reason: what is wrong" or NULL.';

-- 40_ingest/_partition_of.sql
-- The partition of turn_events that has this name and is attached.
-- Called by _ensure_partition() and the rollups.
-- Costs one catalogue lookup.
create or replace function awf._partition_of(p_name text)
returns regclass
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_relation constant regclass := to_regclass(format('awf.%I', p_name));
begin
    -- Not by a query on pg_inherits: a REPEATABLE READ transaction would not see what was attached since it began.
    return case when pg_partition_root(v_relation) = 'awf.turn_events'::regclass then v_relation end;
end;
$$;
comment on function awf._partition_of(text) is 'The attached partition of that name; NULL when there is none.';

-- 40_ingest/_protect_partition.sql
-- Gives a partition its guard and its rights: writers may INSERT the event columns, nobody may do anything else.
-- Called for a new partition, at every migration and when roles change.
-- Locks the partition (SHARE ROW EXCLUSIVE) only where the guard is missing.
create or replace function awf._protect_partition(p_partition regclass)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_writer name;
begin
    if not exists (
        select from pg_catalog.pg_trigger as t where t.tgrelid = p_partition and t.tgname = 'guard_copy'
    ) then
        execute format(
            'create trigger guard_copy before insert on %s for each statement execute function awf._guard_copy()', p_partition
        );
    end if;
    for v_writer in select distinct g.role_name from awf.role_grants as g where g.kind in ('writer', 'admin') loop
        execute format('grant insert (%s) on %s to %I', awf._copy_columns(), p_partition, v_writer);
    end loop;
end;
$$;
comment on function awf._protect_partition(regclass) is 'Makes the guard trigger and the writers'' column grants of a partition.';

-- 40_ingest/_readable_player.sql
-- The player of a refused event, where its hash can be read: so that the player can be forgotten here too.
-- Called wherever an event document is refused.
-- Costs one regular expression.
create or replace function awf._readable_player(p_event jsonb)
returns bytea
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_hash constant text := coalesce(p_event ->> 'player_hash', p_event ->> 'playerHash');
begin
    return case when v_hash ~* '^[0-9a-f]{64}$' then decode(v_hash, 'hex') end;
end;
$$;
comment on function awf._readable_player(jsonb) is 'Player hash of an event document, 32 bytes; NULL when there is none that can be read.';

-- 40_ingest/_record_event.sql
-- Stores one event document, or raises what is wrong with it.
-- Called by record_turn() and INSERT on analytics_events.
-- Costs about ten lookups; the transaction's first event of a day writes a row of the ingest log.
create or replace function awf._record_event(p_event jsonb)
returns uuid
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_event record;
    v_fault text;
    v_batch_id bigint;
begin
    select e.* into v_event from awf._parse_event(p_event) as e;
    v_fault := coalesce(v_event.fault, (
        select awf._event_fault(
            v_event.ts, v_event.id, v_event.session_id, v_event.player_hash, v_event.world_ref, v_event.adventure_ref,
            v_event.locale, v_event.model, null, v_event.metrics, v_event.extra, w.oldest, w.newest, null
        )
        from awf._event_window() as w
    ));
    if v_fault is not null then
        raise exception using
            errcode = 'WF201',
            message = format('event refused: %s', v_fault),
            detail = format('Event: %s', awf._event_remains(p_event)),
            hint = 'Correct the field and send the event again. awf.record_turns() keeps bad events aside instead.';
    end if;
    -- Before the INSERT, which a new partition could no longer be attached under.
    v_batch_id := awf._insert_batch((v_event.ts at time zone 'UTC')::date);
    insert into awf.turn_events (
        ts, id, batch_id, session_id, player_hash, world_id, adventure_id, locale_id, model_id, assignments, failed,
        turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens, retries,
        fallbacks, tool_calls, acts, choices, time_advance_ticks, extra
    )
    values (
        v_event.ts, v_event.id, v_batch_id, v_event.session_id, v_event.player_hash,
        awf._dimension_id('world', v_event.world_ref), awf._dimension_id('adventure', v_event.adventure_ref),
        awf._dimension_id('locale', v_event.locale), awf._dimension_id('model', v_event.model), v_event.assignments, v_event.failed,
        v_event.metrics[1], v_event.metrics[2], v_event.metrics[3], v_event.metrics[4], v_event.metrics[5], v_event.metrics[6],
        v_event.metrics[7], v_event.metrics[8], v_event.metrics[9], v_event.metrics[10], v_event.metrics[11],
        nullif(v_event.extra, '{}')
    )
    on conflict (id, ts) do nothing;
    return v_event.id;
end;
$$;
comment on function awf._record_event(jsonb) is 'Stores an event document and returns its id; raises WF201 when it is refused.';

-- 40_ingest/_reject_stage.sql
-- Marks the bad rows of the stage and keeps them as rejected events.
-- Called by ingest_batch().
-- Costs one check a row.
create or replace function awf._reject_stage()
returns integer
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_rejected integer;
begin
    update pg_temp.awf_stage as s set fault = f.fault
    from (
        select
            t.ctid,
            awf._event_fault(
                t.ts, t.id, t.session_id, t.player_hash, t.world_ref, t.adventure_ref, t.locale, t.model, t.assignments,
                array[
                    t.turn_latency_us, t.model_latency_us, t.bundle_us, t.bundle_tokens, t.output_tokens, t.retries,
                    t.fallbacks, t.tool_calls, t.acts, t.choices, t.time_advance_ticks
                ],
                t.extra, w.oldest, w.newest, k.ids
            ) as fault
        from pg_temp.awf_stage as t
        cross join awf._event_window() as w
        cross join (select array_agg(v.id) as ids from awf.variation_ids as v) as k
        where t.fault is null
        offset 0
    ) as f
    where s.ctid = f.ctid and f.fault is not null;
    insert into awf.rejected_events (reason, detail, player_hash, event)
    select
        split_part(s.fault, ': ', 1),
        substring(s.fault from position(': ' in s.fault) + 2),
        coalesce(case when octet_length(s.player_hash) = 32 then s.player_hash end, awf._readable_player(s.event)),
        awf._event_remains(coalesce(s.event, to_jsonb(s) - array['event', 'fault']))
    from pg_temp.awf_stage as s
    where s.fault is not null;
    get diagnostics v_rejected = row_count;
    return v_rejected;
end;
$$;
comment on function awf._reject_stage() is 'Moves the bad rows of the stage to rejected_events; returns how many.';

-- 40_ingest/_stage_exists.sql
-- Says whether this session has the staging table, and refuses one that somebody else made under its name.
-- Called by open_stage() and ingest_batch().
-- Costs one catalogue lookup.
create or replace function awf._stage_exists()
returns boolean
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_safe boolean;
begin
    -- A table or view of the caller would run the caller's code with the owner's rights.
    select c.relkind = 'r' and pg_get_userbyid(c.relowner) = current_user
    into v_safe
    from pg_catalog.pg_class as c
    where c.relnamespace = pg_my_temp_schema() and c.relname = 'awf_stage';
    if v_safe is false then
        raise exception using
            errcode = 'WF204',
            message = 'pg_temp.awf_stage was not made by awf.open_stage()',
            hint = 'Drop it: the name belongs to the staging table.';
    end if;
    return v_safe is not null;
end;
$$;
comment on function awf._stage_exists() is 'True when the staging table exists; raises WF204 when its owner is not current_user.';

-- 40_ingest/_variation_id.sql
-- The number of a variation of an experiment that exists.
-- Called when an event names its variations by key.
-- Costs one lookup.
create or replace function awf._variation_id(p_experiment_key text, p_variation_key text)
returns integer
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select v.id
        from awf.experiment_variations as v
        where v.experiment_key = p_experiment_key and v.variation_key = p_variation_key
    );
end;
$$;
comment on function awf._variation_id(text, text) is 'Number of the variation in variation_ids; NULL when there is none.';

-- 40_ingest/dimension_ids.sql
-- The dictionary numbers of texts, made where they are missing.
-- Called by clients before a direct COPY, in a transaction of its own: a number of a rolled-back transaction is none.
-- Costs one lookup a text; new texts take a row lock until the transaction ends.
create or replace function awf.dimension_ids(p_kind text, p_values text[])
returns integer[]
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
begin
    perform awf._require_safe_owner();
    if p_kind is null or p_kind not in ('world', 'adventure', 'locale', 'model', 'variation') then
        raise exception using
            errcode = 'WF001',
            message = format('there is no dimension "%s"', coalesce(p_kind, 'NULL')),
            hint = 'Dimensions: world, adventure, locale, model, variation.';
    elsif p_kind = 'variation' then
        return array(
            select awf._variation_id(split_part(t.value, '/', 1), substring(t.value from position('/' in t.value) + 1))
            from unnest(p_values) with ordinality as t (value, place)
            order by t.place
        );
    end if;
    perform awf._add_dimensions(p_kind, p_values);
    return array(
        select d.id
        from unnest(p_values) with ordinality as t (value, place)
        left join awf.dimensions as d on d.kind = p_kind and t.value = d.value
        order by t.place
    );
end;
$$;
comment on function awf.dimension_ids(text, text[]) is
'Numbers of the texts, in their order, as a direct COPY carries them. p_kind: world, adventure, locale or model (a new text gets a
number; NULL for NULL, a text that is empty or longer than 200 characters, or a locale that is none), or variation (texts "experiment/variation"; NULL
where there is none). Call it in a transaction of its own, and keep the numbers only after its commit.
Errors: WF001 (no such kind).
Example: SELECT awf.dimension_ids(''locale'', ARRAY[''en-US'', ''de-DE'']);';

-- 40_ingest/hash_player.sql
-- The hash that stands for a player everywhere: HMAC-SHA256 under the stored key.
-- Called by services that do not hash themselves.
-- Costs one lookup and two SHA-256 runs.
create or replace function awf.hash_player(p_player_id text)
returns text
language plpgsql
stable
strict
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_hash text;
begin
    perform awf._require_safe_owner();
    select encode(sha256(k.outer_pad || sha256(k.inner_pad || convert_to(p_player_id, 'UTF8'))), 'hex')
    into v_hash
    from awf.player_hash_key as k;
    if v_hash is null then
        raise exception using
            errcode = 'WF205',
            message = 'no player hash key is stored in this database',
            hint = 'Hash in the client (AWF_PLAYER_HASH_KEY), or store the key with awf.set_player_hash_key().';
    end if;
    return v_hash;
end;
$$;
comment on function awf.hash_player(text) is
'HMAC-SHA256 (RFC 2104) of the player id under the stored key, as 64 hexadecimal digits; NULL for NULL. The same as a client
computes with the same AWF_PLAYER_HASH_KEY.
Errors: WF205 (no key is stored).
Example: SELECT awf.hash_player(''player-1'');';

-- 40_ingest/ingest_batch.sql
-- Stores what the staging table holds: good rows as events, bad rows as rejected events with their reasons.
-- Called by writers after their COPY, in the same transaction.
-- Costs about three times the direct path; takes the locks of _ensure_partition() for a new day.
create or replace function awf.ingest_batch()
returns table (accepted integer, duplicate integer, rejected integer)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_day date;
    v_stored integer;
    v_left_out integer;
begin
    perform awf._require_safe_owner();
    if not awf._stage_exists() then
        raise exception using
            errcode = 'WF202',
            message = 'this session has no staging table',
            hint = 'Call awf.open_stage() and COPY into pg_temp.awf_stage first.';
    end if;
    accepted := 0;
    duplicate := 0;
    rejected := awf._reject_stage();
    perform awf._add_stage_dimensions();
    for v_day in
        select distinct (s.ts at time zone 'UTC')::date from pg_temp.awf_stage as s where s.fault is null order by 1
    loop
        select i.stored, i.left_out into v_stored, v_left_out from awf._ingest_stage_day(v_day) as i;
        accepted := accepted + v_stored;
        duplicate := duplicate + v_left_out;
    end loop;
    delete from pg_temp.awf_stage;
    return next;
end;
$$;
comment on function awf.ingest_batch() is
'Stores the rows of pg_temp.awf_stage (see open_stage) and returns how many were accepted, were duplicates of stored events (same id
and ts; nothing changes), and were rejected (see the table rejected_events). A bad row never costs the batch its good rows.
Errors: WF202 (no staging table), WF204 (one that the caller made).';

-- 40_ingest/open_batch.sql
-- Opens a batch of a day: the direct path of ingest.
-- Called by writers, in the transaction of their COPY.
-- Writes one row of the ingest log; the first batch of a day makes its partition.
create or replace function awf.open_batch(p_day date, p_rows integer)
returns table (batch_id bigint, table_name text)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_partition regclass;
    v_batch_id bigint;
begin
    perform awf._require_safe_owner();
    if p_rows is null or p_rows < 0 then
        raise exception using
            errcode = 'WF001',
            message = format('a batch cannot have %s rows', coalesce(p_rows::text, 'NULL')),
            hint = 'Give the number of rows that the COPY will bring.';
    end if;
    perform awf._check_window(p_day);
    v_partition := awf._ensure_partition(p_day);
    insert into awf.ingest_log (day, path, rows, role_name)
    values (p_day, 'direct', p_rows, awf._caller())
    returning ingest_log.batch_id into v_batch_id;
    -- As text it is schema-qualified and quoted: nothing of awf is on this function's search_path.
    return query select v_batch_id, v_partition::text;
end;
$$;
comment on function awf.open_batch(date, integer) is
'Opens a batch of a day (UTC) for this transaction and names the table to COPY it into. Then, before the commit:
COPY <table_name> (ts, id, session_id, player_hash, world_id, adventure_id, locale_id, model_id, assignments, failed,
turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens, retries, fallbacks, tool_calls, acts, choices,
time_advance_ticks, extra) FROM STDIN. Numbers of worlds, adventures, locales, models and variations come from dimension_ids().
If the COPY fails on a row (SQLSTATE class 22 or 23), roll back and send the batch through open_stage() and ingest_batch().
Errors: WF203 (a day outside the accepted window), WF001 (rows).
Example: SELECT batch_id, table_name FROM awf.open_batch(''2025-01-15'', 500);';

-- 40_ingest/open_stage.sql
-- Makes the staging table of this session: the careful path of ingest.
-- Called by writers, in the transaction of their COPY.
-- The table is made once a session and empties itself at every commit, which keeps the catalogue small.
create or replace function awf.open_stage()
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_columns constant text :=
        'ts, id, session_id, player_hash, world_ref, adventure_ref, locale, model, assignments, failed, '
        || 'turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens, retries, fallbacks, tool_calls, acts, '
        || 'choices, time_advance_ticks, extra';
begin
    perform awf._require_safe_owner();
    if not awf._stage_exists() then
        create temporary table awf_stage (
            ts timestamptz, id uuid, session_id text, player_hash bytea, world_ref text, adventure_ref text, locale text,
            model text, assignments integer[], failed boolean, turn_latency_us bigint, model_latency_us bigint,
            bundle_us bigint, bundle_tokens bigint, output_tokens bigint, retries bigint, fallbacks bigint, tool_calls bigint,
            acts bigint, choices bigint, time_advance_ticks bigint, extra jsonb, event jsonb, fault text
        ) on commit delete rows;
    end if;
    if not has_column_privilege(awf._caller(), 'pg_temp.awf_stage', 'ts', 'insert') then
        execute format('grant insert (%s) on pg_temp.awf_stage to %I', v_columns, awf._caller());
    end if;
end;
$$;
comment on function awf.open_stage() is
'Makes the temporary table pg_temp.awf_stage, which the caller may fill and nobody but ingest_batch() may read. Then, before the
commit: COPY pg_temp.awf_stage (ts, id, session_id, player_hash, world_ref, adventure_ref, locale, model, assignments, failed,
turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens, retries, fallbacks, tool_calls, acts, choices,
time_advance_ticks, extra) FROM STDIN; SELECT * FROM awf.ingest_batch();
Errors: WF204 (a relation of that name that the caller made).';

-- 40_ingest/record_turn.sql
-- Records one turn.
-- Called by services without a client of their own.
-- Costs about ten lookups; use record_turns() or COPY for many.
create or replace function awf.record_turn(p_turn jsonb)
returns uuid
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    return awf._record_event(p_turn);
end;
$$;
comment on function awf.record_turn(jsonb) is
'Stores one event and returns its id; an event that is stored already (same id and ts) changes nothing.
Fields (snake_case or camelCase): session_id, player_hash (64 hexadecimal digits) or player_id (hashed with the stored key),
world_ref, adventure_ref; optional: id (UUID), ts (default: now), locale (default en-US), model, experiment_key and variation_key or
assignments ([{"experiment", "variation"}, ...], as turn_params() gives exposures), metrics ({"turnLatencyMs": 812.5,
"outputTokens": 210, "failed": false, ...}; further ones: numbers and booleans only).
Errors: WF201 (refused, naming field and value), WF205 (player_id without a stored key).
Example: SELECT awf.record_turn(''{"session_id": "s1", "player_id": "p1", "world_ref": "w", "adventure_ref": "a",
  "metrics": {"turnLatencyMs": 812.5, "outputTokens": 210}}'');';

-- 40_ingest/record_turns.sql
-- Records many turns; what is refused is kept aside.
-- Called by services without a client of their own.
-- Takes the careful path of ingest.
create or replace function awf.record_turns(p_turns jsonb)
returns table (accepted integer, duplicate integer, rejected integer)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    if jsonb_typeof(p_turns) is distinct from 'array' then
        raise exception using
            errcode = 'WF201',
            message = format('turns are of type %s, not an array', coalesce(jsonb_typeof(p_turns), 'NULL')),
            hint = 'Give a JSON array of events, or one event to awf.record_turn().';
    end if;
    perform awf.open_stage();
    insert into pg_temp.awf_stage (
        ts, id, session_id, player_hash, world_ref, adventure_ref, locale, model, assignments, failed,
        turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens, retries,
        fallbacks, tool_calls, acts, choices, time_advance_ticks, extra, event, fault
    )
    select
        e.ts, e.id, e.session_id, e.player_hash, e.world_ref, e.adventure_ref, e.locale, e.model, e.assignments, e.failed,
        e.metrics[1], e.metrics[2], e.metrics[3], e.metrics[4], e.metrics[5], e.metrics[6],
        e.metrics[7], e.metrics[8], e.metrics[9], e.metrics[10], e.metrics[11], e.extra,
        case when e.fault is not null then t.event end, e.fault
    from jsonb_array_elements(p_turns) as t (event)
    cross join lateral awf._parse_event(t.event) as e;
    return query select i.accepted, i.duplicate, i.rejected from awf.ingest_batch() as i;
end;
$$;
comment on function awf.record_turns(jsonb) is
'Stores an array of events (see record_turn) and returns how many were accepted, were stored already, and were rejected. A bad event
costs the others nothing: it is kept in rejected_events with its reason.
Errors: WF201 (no array), WF205 (player_id without a stored key).
Example: SELECT * FROM awf.record_turns(''[{"session_id": "s1", "player_id": "p1", "world_ref": "w", "adventure_ref": "a"}]'');';

-- 40_ingest/reject_event.sql
-- Keeps an event that a client could not even send, with its reason.
-- Called by clients.
-- Writes one row.
create or replace function awf.reject_event(p_reason text, p_detail text, p_event jsonb)
returns bigint
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id bigint;
begin
    perform awf._require_safe_owner();
    if p_reason is null or p_reason !~ '^[a-z_]{1,40}$' or jsonb_typeof(p_event) is distinct from 'object' then
        raise exception using
            errcode = 'WF001',
            message = format('an event cannot be rejected for "%s"', coalesce(left(p_reason, 60), 'NULL')),
            hint = 'The reason is a code of lower-case letters and "_"; the event is a JSON object.';
    end if;
    insert into awf.rejected_events (reason, detail, player_hash, event)
    values (p_reason, left(coalesce(p_detail, ''), 500), awf._readable_player(p_event), awf._event_remains(p_event))
    returning id into v_id;
    return v_id;
end;
$$;
comment on function awf.reject_event(text, text, jsonb) is
'Keeps an event that could not be sent as a row (a NUL character, a number beyond its type) in rejected_events and returns its number.
Free text and raw player ids are taken out of p_event.
Errors: WF001 (no reason code, no object).';

-- 40_ingest/set_player_hash_key.sql
-- Stores the key of hash_player() as the two pads that HMAC needs.
-- Called by admins, for services that let the database hash.
-- Writes one row.
create or replace function awf.set_player_hash_key(p_key text)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_key bytea := convert_to(coalesce(p_key, ''), 'UTF8');
begin
    perform awf._require_safe_owner();
    if octet_length(v_key) < 16 then
        raise exception using
            errcode = 'WF001',
            message = format('a player hash key of %s bytes is too short', octet_length(v_key)),
            hint = 'Take at least 16 bytes, better 32 random ones, and give every client the same AWF_PLAYER_HASH_KEY.';
    end if;
    -- RFC 2104: a key longer than the block is hashed first.
    if octet_length(v_key) > 64 then
        v_key := sha256(v_key);
    end if;
    insert into awf.player_hash_key (inner_pad, outer_pad)
    values (awf._pad_key(v_key, 54), awf._pad_key(v_key, 92))
    on conflict (singleton) do update set inner_pad = excluded.inner_pad, outer_pad = excluded.outer_pad, set_at = awf._now();
end;
$$;
comment on function awf.set_player_hash_key(text) is
'Stores the secret of hash_player(): at least 16 bytes (UTF-8), the same text as AWF_PLAYER_HASH_KEY of the clients. Nobody can read
it back. Another key gives every player another hash: player-based experiments then assign anew.
Errors: WF001 (too short).';

-- 50_rollup/_add_exposures.sql
-- Keeps the first exposure of each unit among the events of one day that a condition selects.
-- Called by refresh_rollups() and _recompute_day().
-- Costs one scan of the selected events; the earliest by (ts, event id) stays, in whatever order events come.
create or replace function awf._add_exposures(p_day date, p_condition text)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
begin
    -- The condition is made by the callers from numbers alone.
    -- @plpgsql_check_options: security_warnings = off
    execute format(
        $sql$
        insert into awf.exposures as x (experiment_id, unit_id, variation_id, locale_id, first_ts, event_id, player_hash)
        select distinct on (u.experiment_id, u.unit_id)
            u.experiment_id, u.unit_id, u.variation_id, u.locale_id, u.ts, u.id, u.player_hash
        from (
            select
                p.id as experiment_id,
                case p.hash_basis when 'player' then encode(e.player_hash, 'hex') else e.session_id end as unit_id,
                v.id as variation_id, e.locale_id, e.ts, e.id, e.player_hash
            from awf.turn_events as e
            cross join lateral unnest(e.assignments) as a (variation_id)
            inner join awf.variation_ids as v on v.id = a.variation_id
            inner join awf.experiments as p on p.id = v.experiment_id
            where e.ts >= %L and e.ts < %L and (%s)
        ) as u
        order by u.experiment_id, u.unit_id, u.ts, u.id, u.variation_id
        on conflict (experiment_id, unit_id) do update set
            variation_id = excluded.variation_id,
            locale_id = excluded.locale_id,
            first_ts = excluded.first_ts,
            event_id = excluded.event_id,
            player_hash = excluded.player_hash
        where (excluded.first_ts, excluded.event_id) < (x.first_ts, x.event_id)
        $sql$,
        p_day::timestamp at time zone 'UTC', (p_day + 1)::timestamp at time zone 'UTC', p_condition
    );
end;
$$;
comment on function awf._add_exposures(date, text) is 'Merges the exposures shown by the selected events of a day into exposures.';

-- 50_rollup/_add_totals.sql
-- Adds the claimed events of one day, in one range of batches, to the daily totals.
-- Called by refresh_rollups() for each range.
-- Locks the cells it changes.
create or replace function awf._add_totals(p_day date, p_condition text)
returns bigint
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_events bigint;
begin
    with added as (
        select t.* from awf._totals_of(p_day, p_condition) as t
    ),

    merged as (
        insert into awf.daily_totals as d (variation_id, day, world_id, locale_id, metric_id, n, sum, sum_squares, min, max)
        select a.variation_id, p_day, a.world_id, a.locale_id, a.metric_id, a.n, a.sum, a.sum_squares, a.min, a.max
        from added as a
        on conflict (variation_id, day, world_id, locale_id, metric_id) do update set
            n = d.n + excluded.n,
            sum = d.sum + excluded.sum,
            sum_squares = d.sum_squares + excluded.sum_squares,
            min = least(d.min, excluded.min),
            max = greatest(d.max, excluded.max)
    )

    select coalesce(sum(a.n), 0) into v_events from added as a where a.variation_id = 0 and a.metric_id = 0;
    return v_events;
end;
$$;
comment on function awf._add_totals(date, text) is 'Adds the selected events of a day to daily_totals; returns how many events there were.';

-- 50_rollup/_check_range.sql
-- Refuses a range of days that is reversed, infinite or, where it must be given, not given.
-- Called by everything that takes a range of days.
-- Costs nothing to speak of.
create or replace function awf._check_range(p_from date, p_to date, p_required boolean default false)
returns void
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_required and (p_from is null or p_to is null) or not isfinite(p_from) or not isfinite(p_to) then
        raise exception using
            errcode = 'WF002',
            message = format('%s to %s is no range of days', coalesce(p_from::text, 'NULL'), coalesce(p_to::text, 'NULL')),
            hint = 'Give both days as YYYY-MM-DD.';
    elsif p_from > p_to then
        raise exception using
            errcode = 'WF002',
            message = format('the range begins on %s, after its end on %s', p_from, p_to),
            hint = 'Give the earlier day first.';
    end if;
end;
$$;
comment on function awf._check_range(date, date, boolean) is 'Raises WF002 for a range of days that cannot be one.';

-- 50_rollup/_claim_batches.sql
-- Takes batches that are not yet rolled up, marks them, and names the ranges of numbers in which they lie.
-- Called by refresh_rollups().
-- Locks the log rows of the claim.
create or replace function awf._claim_batches(p_refresh_id bigint, p_max_batches integer)
returns table (day date, low bigint, high bigint, batches bigint)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    -- A batch is seen when its transaction has committed, so no slow writer is ever passed over.
    update awf.ingest_log as l set rolled_up_at = clock_timestamp(), refresh_id = p_refresh_id
    where l.batch_id in (
        select w.batch_id from awf.ingest_log as w where w.rolled_up_at is null order by w.batch_id limit p_max_batches
    );
    -- Numbers that lie close together are one range; a straggler from long ago gets a range of its own.
    return query
    with steps as (
        select
            l.day, l.batch_id,
            (l.batch_id - lag(l.batch_id, 1, l.batch_id) over (partition by l.day order by l.batch_id) > 1000)::integer as gap
        from awf.ingest_log as l
        where l.refresh_id = p_refresh_id
    ),

    ranges as (
        select s.day, s.batch_id, sum(s.gap) over (partition by s.day order by s.batch_id) as range_number
        from steps as s
    )

    select r.day, min(r.batch_id), max(r.batch_id), count(*)
    from ranges as r
    group by r.day, r.range_number
    order by r.day, r.range_number;
end;
$$;
comment on function awf._claim_batches(bigint, integer) is 'Marks waiting batches as rolled up by this refresh; returns their days and ranges of numbers.';

-- 50_rollup/_days_with_data.sql
-- The days of a range that have rollups or events.
-- Called by backfill() and the report's notice.
-- Costs a scan of the catalogue and of an index.
create or replace function awf._days_with_data(p_from date, p_to date)
returns table (day date)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select d.day from awf.daily_totals as d where d.day between p_from and p_to
    union
    select p.day
    from pg_catalog.pg_inherits as i
    inner join pg_catalog.pg_class as c on i.inhrelid = c.oid
    cross join lateral (select to_date(right(c.relname, 8), 'YYYYMMDD') as day) as p
    where i.inhparent = 'awf.turn_events'::regclass and p.day between p_from and p_to
    order by 1;
end;
$$;
comment on function awf._days_with_data(date, date) is 'Days (UTC) of the range that have daily totals or a partition of events, in order.';

-- 50_rollup/_recompute_day.sql
-- Makes the daily totals of one day anew from its events.
-- Called by backfill() under the rollup lock.
-- Costs one scan of the day; leaves out batches that no refresh has claimed yet, which the next refresh adds.
create or replace function awf._recompute_day(p_day date)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_condition constant text :=
        'not exists (select from awf.ingest_log as l where l.batch_id = e.batch_id and l.rolled_up_at is null)';
begin
    if awf._partition_of('turn_events_' || to_char(p_day, 'YYYYMMDD')) is null then
        if exists (select from awf.daily_totals as d where d.day = p_day) then
            raise exception using
                errcode = 'WF301',
                message = format('the events of %s are gone: its rollups cannot be made anew', p_day),
                detail = 'The rollups of the day stay as they are.',
                hint = 'Choose a range of days whose events are stored.';
        end if;
        return;
    end if;
    delete from awf.daily_totals as d where d.day = p_day;
    perform awf._add_totals(p_day, v_condition);
    perform awf._add_exposures(p_day, v_condition);
end;
$$;
comment on function awf._recompute_day(date) is 'Recomputes daily_totals of a day and merges its exposures; raises WF301 when its events are gone.';

-- 50_rollup/_rollup_rows.sql
-- The daily rollup of a range of days, with averages.
-- Called by rollup_daily() and backfill().
-- Costs a scan of the days' totals.
create or replace function awf._rollup_rows(p_from date, p_to date)
returns table (
    day date, experiment_key text, variation_key text, locale text, world_ref text,
    turns bigint, failed_turns bigint, bundle_tokens numeric, output_tokens numeric,
    avg_turn_latency_ms numeric, avg_model_latency_ms numeric, avg_bundle_ms numeric, avg_bundle_tokens numeric,
    avg_output_tokens numeric, avg_retries numeric, avg_fallbacks numeric, avg_tool_calls numeric, avg_acts numeric,
    avg_choices numeric, avg_time_advance_ticks numeric
)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        d.day, d.experiment_key, d.variation_key, d.locale, d.world_ref,
        sum(d.turns)::bigint, sum(d.failed_turns)::bigint, coalesce(sum(d.bundle_tokens_sum), 0), coalesce(sum(d.output_tokens_sum), 0),
        round(sum(d.turn_latency_us_sum) / sum(d.turn_latency_us_count) / 1000, 3),
        round(sum(d.model_latency_us_sum) / sum(d.model_latency_us_count) / 1000, 3),
        round(sum(d.bundle_us_sum) / sum(d.bundle_us_count) / 1000, 3),
        round(sum(d.bundle_tokens_sum) / sum(d.bundle_tokens_count), 3),
        round(sum(d.output_tokens_sum) / sum(d.output_tokens_count), 3),
        round(sum(d.retries_sum) / sum(d.retries_count), 4),
        round(sum(d.fallbacks_sum) / sum(d.fallbacks_count), 4),
        round(sum(d.tool_calls_sum) / sum(d.tool_calls_count), 4),
        round(sum(d.acts_sum) / sum(d.acts_count), 4),
        round(sum(d.choices_sum) / sum(d.choices_count), 4),
        round(sum(d.time_advance_ticks_sum) / sum(d.time_advance_ticks_count), 4)
    from awf.daily_rollups as d
    where d.day between p_from and p_to and (d.variation_id = 0 or d.experiment_key is not null)
    group by d.day, d.experiment_key, d.variation_key, d.locale, d.world_ref
    order by d.day, d.experiment_key nulls first, d.variation_key, d.locale, d.world_ref;
end;
$$;
comment on function awf._rollup_rows(date, date) is 'Rows of the daily rollup with totals and averages, every turn (NULL experiment) first.';

-- 50_rollup/_totals_of.sql
-- Adds up the events of one day that a condition selects: the one place where events become totals.
-- Called by _add_totals() and _recompute_day().
-- Costs one scan of the selected events and one hash aggregate.
create or replace function awf._totals_of(p_day date, p_condition text)
returns table (
    variation_id integer, world_id integer, locale_id integer, metric_id integer,
    n bigint, sum numeric, sum_squares numeric, min bigint, max bigint
)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
begin
    -- The condition is made by the callers from numbers alone.
    -- @plpgsql_check_options: security_warnings = off, extra_warnings = off
    -- Literal bounds, so that one partition is scanned. Grouped by the whole list of assignments first: there are few lists,
    -- and only the groups are spread over their variations (0: every turn once).
    return query execute format(
        $sql$
        with g as (
            select
                e.assignments, e.world_id, e.locale_id,
                count(*) as n0, count(*) filter (where e.failed) as s0,
                min(e.failed::integer) as a0, max(e.failed::integer) as z0,
                count(e.turn_latency_us) as n1, sum(e.turn_latency_us) as s1, sum(e.turn_latency_us::bigint * e.turn_latency_us) as q1, min(e.turn_latency_us) as a1, max(e.turn_latency_us) as z1,
                count(e.model_latency_us) as n2, sum(e.model_latency_us) as s2, sum(e.model_latency_us::bigint * e.model_latency_us) as q2, min(e.model_latency_us) as a2, max(e.model_latency_us) as z2,
                count(e.bundle_us) as n3, sum(e.bundle_us) as s3, sum(e.bundle_us::bigint * e.bundle_us) as q3, min(e.bundle_us) as a3, max(e.bundle_us) as z3,
                count(e.bundle_tokens) as n4, sum(e.bundle_tokens) as s4, sum(e.bundle_tokens::bigint * e.bundle_tokens) as q4, min(e.bundle_tokens) as a4, max(e.bundle_tokens) as z4,
                count(e.output_tokens) as n5, sum(e.output_tokens) as s5, sum(e.output_tokens::bigint * e.output_tokens) as q5, min(e.output_tokens) as a5, max(e.output_tokens) as z5,
                count(e.retries) as n6, sum(e.retries) as s6, sum(e.retries::bigint * e.retries) as q6, min(e.retries) as a6, max(e.retries) as z6,
                count(e.fallbacks) as n7, sum(e.fallbacks) as s7, sum(e.fallbacks::bigint * e.fallbacks) as q7, min(e.fallbacks) as a7, max(e.fallbacks) as z7,
                count(e.tool_calls) as n8, sum(e.tool_calls) as s8, sum(e.tool_calls::bigint * e.tool_calls) as q8, min(e.tool_calls) as a8, max(e.tool_calls) as z8,
                count(e.acts) as n9, sum(e.acts) as s9, sum(e.acts::bigint * e.acts) as q9, min(e.acts) as a9, max(e.acts) as z9,
                count(e.choices) as n10, sum(e.choices) as s10, sum(e.choices::bigint * e.choices) as q10, min(e.choices) as a10, max(e.choices) as z10,
                count(e.time_advance_ticks) as n11, sum(e.time_advance_ticks) as s11, sum(e.time_advance_ticks::bigint * e.time_advance_ticks) as q11, min(e.time_advance_ticks) as a11, max(e.time_advance_ticks) as z11
            from awf.turn_events as e
            where e.ts >= %L and e.ts < %L and (%s)
            group by e.assignments, e.world_id, e.locale_id
        )

        select
            v.variation_id, g.world_id, g.locale_id, m.metric_id,
            sum(m.n)::bigint, sum(m.s)::numeric, sum(m.q)::numeric, min(m.a)::bigint, max(m.z)::bigint
        from g
        cross join lateral (
            select 0 as variation_id
            union
            -- A number that no variation has counts for none.
            select i.id from awf.variation_ids as i where i.id = any (g.assignments)
        ) as v
        cross join lateral (
            values
            (0, g.n0, g.s0, g.s0::numeric, g.a0, g.z0),
            (1, g.n1, g.s1, g.q1, g.a1, g.z1),
            (2, g.n2, g.s2, g.q2, g.a2, g.z2),
            (3, g.n3, g.s3, g.q3, g.a3, g.z3),
            (4, g.n4, g.s4, g.q4, g.a4, g.z4),
            (5, g.n5, g.s5, g.q5, g.a5, g.z5),
            (6, g.n6, g.s6, g.q6, g.a6, g.z6),
            (7, g.n7, g.s7, g.q7, g.a7, g.z7),
            (8, g.n8, g.s8, g.q8, g.a8, g.z8),
            (9, g.n9, g.s9, g.q9, g.a9, g.z9),
            (10, g.n10, g.s10, g.q10, g.a10, g.z10),
            (11, g.n11, g.s11, g.q11, g.a11, g.z11)
        ) as m (metric_id, n, s, q, a, z)
        where m.n > 0
        group by v.variation_id, g.world_id, g.locale_id, m.metric_id
        $sql$,
        p_day::timestamp at time zone 'UTC', (p_day + 1)::timestamp at time zone 'UTC', p_condition
    );
end;
$$;
comment on function awf._totals_of(date, text) is
'Totals (as in daily_totals) of the events of a day (UTC) that the SQL condition on alias e selects.';

-- 50_rollup/_try_rollup_lock.sql
-- The lock that refresh and recompute share: one of them at a time.
-- Called by refresh_rollups() and backfill().
-- Held until the transaction ends.
create or replace function awf._try_rollup_lock(p_wait boolean)
returns boolean
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_wait then
        perform from awf.locks as l where l.name = 'rollups' for update;
    else
        perform from awf.locks as l where l.name = 'rollups' for update skip locked;
    end if;
    return found;
end;
$$;
comment on function awf._try_rollup_lock(boolean) is 'True when this transaction holds the rollup lock; waits for it if asked to.';

-- 50_rollup/backfill.sql
-- Recomputes the rollups of a range of days from their events and shows them.
-- Called by admins and the CLI.
-- Costs a refresh and one scan of the days; waits for a refresh at work.
create or replace function awf.backfill(p_from date, p_to date)
returns table (
    day date, experiment_key text, variation_key text, locale text, world_ref text,
    turns bigint, failed_turns bigint, bundle_tokens numeric, output_tokens numeric,
    avg_turn_latency_ms numeric, avg_model_latency_ms numeric, avg_bundle_ms numeric, avg_bundle_tokens numeric,
    avg_output_tokens numeric, avg_retries numeric, avg_fallbacks numeric, avg_tool_calls numeric, avg_acts numeric,
    avg_choices numeric, avg_time_advance_ticks numeric
)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_batches integer;
begin
    perform awf._require_safe_owner();
    perform awf._check_range(p_from, p_to, true);
    perform awf._try_rollup_lock(true);
    loop
        select r.batches into v_batches from awf.refresh_rollups() as r;
        exit when v_batches = 0;
    end loop;
    perform awf._recompute_day(d.day)
    from awf._days_with_data(p_from, p_to) as d (day);
    return query select r.* from awf._rollup_rows(p_from, p_to) as r;
end;
$$;
comment on function awf.backfill(date, date) is
'Recomputes the daily rollups from p_from to p_to (UTC, both included) from their events and returns them: a row for each day,
experiment, variation, locale and world; rows with a NULL experiment count every turn once. Columns: turns, failed_turns, sums of
tokens, then averages over the turns that carry the metric (latencies in ms). The result equals what the refreshes had made.
Errors: WF002 (no range or a reversed one), WF301 (the events of a day are gone).
Example: SELECT * FROM awf.backfill(''2025-01-01'', ''2025-01-31'');';

-- 50_rollup/refresh_rollups.sql
-- Adds the events of new batches to the rollups: the daily totals and the first exposures.
-- Called every minute, by an admin, a scheduler or the CLI. A second call at the same time returns at once with zeros.
-- Costs in proportion to the new events; locks the cells it changes until the transaction ends.
create or replace function awf.refresh_rollups(p_max_batches integer default 5000)
returns table (batches integer, events bigint, days integer)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_refresh_id bigint;
    v_claim record;
    v_condition text;
    v_days date[] := array[]::date[];
begin
    perform awf._require_safe_owner();
    if p_max_batches is null or p_max_batches < 0 then
        raise exception using
            errcode = 'WF001',
            message = format('a refresh cannot take %s batches', coalesce(p_max_batches::text, 'NULL')),
            hint = 'Give the most batches that one call may take, 0 or more.';
    end if;
    batches := 0;
    events := 0;
    if awf._try_rollup_lock(false) then
        v_refresh_id := nextval('awf.refresh_id_seq');
        for v_claim in select c.* from awf._claim_batches(v_refresh_id, p_max_batches) as c loop
            v_condition := format(
                'e.batch_id between %s and %s and exists ('
                'select from awf.ingest_log as l where l.batch_id = e.batch_id and l.refresh_id = %s)',
                v_claim.low, v_claim.high, v_refresh_id
            );
            events := events + awf._add_totals(v_claim.day, v_condition);
            perform awf._add_exposures(v_claim.day, v_condition);
            batches := batches + v_claim.batches;
            v_days := v_days || v_claim.day;
        end loop;
    end if;
    days := (select count(distinct d.day) from unnest(v_days) as d (day));
    return next;
end;
$$;
comment on function awf.refresh_rollups(integer) is
'Adds the events of committed batches that were not rolled up yet to daily_totals and exposures, at most p_max_batches of them, all
in one transaction: call it until batches is 0. Returns how many batches, events and days there were; zeros when there is nothing
to do or another refresh is at work.
Errors: WF001 (p_max_batches).
Example: SELECT * FROM awf.refresh_rollups();';

-- 50_rollup/rollup_daily.sql
-- Recomputes the rollup of one day from its events and shows it.
-- Called by admins and the CLI.
-- Costs a refresh and one scan of the day; waits for a refresh at work.
create or replace function awf.rollup_daily(p_day date)
returns table (
    day date, experiment_key text, variation_key text, locale text, world_ref text,
    turns bigint, failed_turns bigint, bundle_tokens numeric, output_tokens numeric,
    avg_turn_latency_ms numeric, avg_model_latency_ms numeric, avg_bundle_ms numeric, avg_bundle_tokens numeric,
    avg_output_tokens numeric, avg_retries numeric, avg_fallbacks numeric, avg_tool_calls numeric, avg_acts numeric,
    avg_choices numeric, avg_time_advance_ticks numeric
)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    return query select b.* from awf.backfill(p_day, p_day) as b;
end;
$$;
comment on function awf.rollup_daily(date) is
'Recomputes the daily rollup of a day (UTC) from its events and returns it: a row for each experiment, variation, locale and world;
rows with a NULL experiment count every turn once. Columns as in backfill(). A day without events gives no rows.
Errors: WF301 (the events of the day are gone), WF002 (no day).
Example: SELECT * FROM awf.rollup_daily(''2025-01-15'');';

-- 70_report/_check_grouping.sql
-- Refuses a grouping that the report does not know.
-- Called by experiment_report().
-- Costs nothing to speak of.
create or replace function awf._check_grouping(p_by text[])
returns void
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_by is null or not p_by <@ array['variation', 'locale'] then
        raise exception using
            errcode = 'WF001',
            message = format('a report cannot be grouped by %s', coalesce(p_by::text, 'NULL')),
            hint = 'Group by any of variation, locale: {variation}, {locale}, {variation,locale}, {}.';
    end if;
end;
$$;
comment on function awf._check_grouping(text[]) is 'Raises WF001 unless the list holds nothing but variation and locale.';

-- 70_report/_last_event_at.sql
-- The newest event.
-- Called by analytics_stats().
-- Costs a scan of the newest partition that has one.
create or replace function awf._last_event_at()
returns timestamptz
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_partition regclass;
    v_last timestamptz;
begin
    for v_partition in
        select c.oid::regclass
        from pg_catalog.pg_inherits as i
        inner join pg_catalog.pg_class as c on i.inhrelid = c.oid
        where i.inhparent = 'awf.turn_events'::regclass
        order by c.relname desc
    loop
        execute format('select max(ts) from %s', v_partition) into v_last;
        exit when v_last is not null;
    end loop;
    return v_last;
end;
$$;
comment on function awf._last_event_at() is 'ts of the newest stored event; NULL when there is none.';

-- 70_report/_report_range_notice.sql
-- Tells where the data is when a report found none.
-- Called by experiment_report().
-- Costs one lookup.
create or replace function awf._report_range_notice(p_key text, p_id bigint, p_from date, p_to date)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_data record;
begin
    select min(d.day) as first_day, max(d.day) as last_day
    into v_data
    from awf.daily_totals as d
    inner join awf.variation_ids as v on d.variation_id = v.id
    where v.experiment_id = p_id;
    if v_data.first_day is null then
        raise notice using
            message = format('experiment "%s" has no data yet', p_key),
            hint = 'Events count once they are rolled up: awf.refresh_rollups() (awf-pg rollup refresh).';
    else
        raise notice using message = format(
            'experiment "%s" has no data from %s to %s; it has data from %s to %s',
            p_key, coalesce(p_from::text, 'the beginning'), coalesce(p_to::text, 'the end'), v_data.first_day, v_data.last_day
        );
    end if;
end;
$$;
comment on function awf._report_range_notice(text, bigint, date, date) is 'Raises a notice with the first and last day of the experiment''s data.';

-- 70_report/analytics_stats.sql
-- How the pipeline is doing, on the server's side.
-- Called by readers, analysts, admins and the CLI.
-- Costs a scan of the waiting batches, of the newest partition and of the rejected events.
create or replace function awf.analytics_stats()
returns jsonb
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    return jsonb_build_object(
        'version', awf.version(),
        'revision', (select c.revision from awf.config_state as c),
        'events', (
            select jsonb_build_object('rolledUp', coalesce(sum(d.n), 0), 'firstDay', min(d.day), 'lastDay', max(d.day))
            from awf.daily_totals as d
            where d.variation_id = 0 and d.metric_id = 0
        ),
        'lastEventAt', awf._last_event_at(),
        'batches', (
            select jsonb_build_object(
                'waiting', count(*) filter (where l.rolled_up_at is null),
                'oldestWaiting', min(l.opened_at) filter (where l.rolled_up_at is null),
                'rolledUp', count(*) filter (where l.rolled_up_at is not null),
                'direct', count(*) filter (where l.path = 'direct'),
                'careful', count(*) filter (where l.path = 'careful'),
                'insert', count(*) filter (where l.path = 'insert')
            )
            from awf.ingest_log as l
        ),
        'rejected', jsonb_build_object(
            'total', (select count(*) from awf.rejected_events),
            'byReason', (
                select coalesce(jsonb_object_agg(r.reason, r.n), '{}')
                from (select e.reason, count(*) as n from awf.rejected_events as e group by e.reason) as r
            )
        ),
        'exposures', (select count(*) from awf.exposures),
        'partitions', (
            select jsonb_build_object('count', count(*), 'first', min(c.relname), 'last', max(c.relname))
            from pg_catalog.pg_inherits as i
            inner join pg_catalog.pg_class as c on i.inhrelid = c.oid
            where i.inhparent = 'awf.turn_events'::regclass
        )
    );
end;
$$;
comment on function awf.analytics_stats() is
'State of the pipeline as JSON: {version, revision, events: {rolledUp, firstDay, lastDay}, lastEventAt, batches: {waiting,
oldestWaiting, rolledUp, direct, careful, insert}, rejected: {total, byReason}, exposures, partitions: {count, first, last}}.
Example: SELECT jsonb_pretty(awf.analytics_stats());';

-- 70_report/experiment_report.sql
-- The report of an experiment: a row for each variation and locale.
-- Called by readers, analysts, admins and the CLI.
-- Costs a scan of the experiment's daily totals; the age of the events does not matter.
create or replace function awf.experiment_report(
    p_key text,
    p_from date default null,
    p_to date default null,
    p_by text[] default '{variation,locale}'
)
returns table (
    variation_key text, locale text, units bigint,
    turns bigint, failed_turns bigint, bundle_tokens numeric, output_tokens numeric,
    avg_turn_latency_ms numeric, avg_model_latency_ms numeric, avg_bundle_ms numeric, avg_bundle_tokens numeric,
    avg_output_tokens numeric, avg_retries numeric, avg_fallbacks numeric, avg_tool_calls numeric, avg_acts numeric,
    avg_choices numeric, avg_time_advance_ticks numeric
)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._find_experiment(p_key);
begin
    perform awf._check_range(p_from, p_to);
    perform awf._check_grouping(p_by);
    return query
    with cells as (
        select
            d.*,
            case when 'variation' = any (p_by) then d.variation_key end as by_variation,
            case when 'locale' = any (p_by) then d.locale end as by_locale
        from awf.daily_rollups as d
        inner join awf.variation_ids as v on d.variation_id = v.id
        where v.experiment_id = v_id and d.day >= coalesce(p_from, '-infinity') and d.day <= coalesce(p_to, 'infinity')
    ),

    exposed as (
        select
            case when 'variation' = any (p_by) then v.variation_key end as by_variation,
            case when 'locale' = any (p_by) then l.value end as by_locale,
            count(*) as units
        from awf.exposures as x
        inner join awf.variation_ids as v on x.variation_id = v.id
        inner join awf.dimensions as l on x.locale_id = l.id
        where x.experiment_id = v_id
            and x.first_ts >= coalesce(p_from, '-infinity')::timestamp at time zone 'UTC'
            and x.first_ts < (coalesce(p_to, 'infinity') + interval '1 day') at time zone 'UTC'
        group by 1, 2
    )

    select
        d.by_variation, d.by_locale, coalesce(max(x.units), 0),
        sum(d.turns)::bigint, sum(d.failed_turns)::bigint, coalesce(sum(d.bundle_tokens_sum), 0), coalesce(sum(d.output_tokens_sum), 0),
        round(sum(d.turn_latency_us_sum) / sum(d.turn_latency_us_count) / 1000, 3),
        round(sum(d.model_latency_us_sum) / sum(d.model_latency_us_count) / 1000, 3),
        round(sum(d.bundle_us_sum) / sum(d.bundle_us_count) / 1000, 3),
        round(sum(d.bundle_tokens_sum) / sum(d.bundle_tokens_count), 3),
        round(sum(d.output_tokens_sum) / sum(d.output_tokens_count), 3),
        round(sum(d.retries_sum) / sum(d.retries_count), 4),
        round(sum(d.fallbacks_sum) / sum(d.fallbacks_count), 4),
        round(sum(d.tool_calls_sum) / sum(d.tool_calls_count), 4),
        round(sum(d.acts_sum) / sum(d.acts_count), 4),
        round(sum(d.choices_sum) / sum(d.choices_count), 4),
        round(sum(d.time_advance_ticks_sum) / sum(d.time_advance_ticks_count), 4)
    from cells as d
    left join exposed as x
        on d.by_variation is not distinct from x.by_variation and d.by_locale is not distinct from x.by_locale
    group by d.by_variation, d.by_locale
    order by d.by_variation, d.by_locale;
    if not found then
        perform awf._report_range_notice(p_key, v_id, p_from, p_to);
    end if;
end;
$$;
comment on function awf.experiment_report(text, date, date, text[]) is
'The turns of an experiment from p_from to p_to (UTC, both included; NULL: without a bound), a row for each variation and locale, or
for what p_by names (any of variation, locale; a column that is not asked for is NULL). Columns: units (first exposed in the range),
turns, failed_turns, sums of tokens, then averages over the turns that carry the metric (latencies in ms). It counts what has been
rolled up. A range without data gives no rows and a notice that names the days with data.
Errors: WF101 (no such experiment), WF002 (a reversed range), WF001 (p_by).
Example: SELECT * FROM awf.experiment_report(''token-budget-test'', ''2025-01-01'', ''2025-01-31'');';

-- 75_operate/_apply_grants.sql
-- Gives every admitted role what the lists of rights say, and names the readers of each table in its policy.
-- Called by migrate(), grant_usage() and revoke_usage().
-- Locks the tables' policies (ACCESS EXCLUSIVE) only where the list of readers changed.
create or replace function awf._apply_grants()
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_grant record;
begin
    -- A role that was dropped since takes its row with it.
    delete from awf.role_grants as g where not exists (select from pg_catalog.pg_roles as r where r.rolname = g.role_name);
    for v_grant in
        select format('grant usage on schema awf to %I', g.role_name) as statement
        from awf.role_grants as g
        union all
        select format('grant %s on awf.%I to %I', t.privilege, t.relation, g.role_name)
        from awf.role_grants as g
        inner join awf._table_rights() as t on g.kind = t.kind
        union all
        select format('grant execute on function %s to %I', p.oid::regprocedure, g.role_name)
        from awf.role_grants as g
        inner join awf._function_rights() as f on g.kind = f.kind
        inner join pg_catalog.pg_proc as p on f.function_name = p.proname and p.pronamespace = 'awf'::regnamespace
    loop
        -- Made above by format() with %I, and from constants.
        -- @plpgsql_check_options: security_warnings = off
        execute v_grant.statement;
    end loop;
    perform awf._apply_policies();
    perform awf._protect_partition(i.inhrelid::regclass)
    from pg_catalog.pg_inherits as i
    where i.inhparent = 'awf.turn_events'::regclass;
end;
$$;
comment on function awf._apply_grants() is 'Grants every admitted role the rights of its kinds.';

-- 75_operate/_apply_policies.sql
-- Makes the policy "readers" of each table name exactly the roles that may read it.
-- Called by _apply_grants().
-- Locks a table (ACCESS EXCLUSIVE, briefly) only where the list of its readers changed.
create or replace function awf._apply_policies()
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_policy record;
begin
    for v_policy in
        select p.tablename, array_agg(distinct r.role_name order by r.role_name) as readers
        from pg_catalog.pg_policies as p
        cross join lateral (
            select current_user as role_name
            union all
            select g.role_name
            from awf.role_grants as g
            inner join awf._table_rights() as t on g.kind = t.kind
            where t.relation = p.tablename and t.privilege like 'select%'
        ) as r
        where p.schemaname = 'awf' and p.policyname = 'readers'
        group by p.tablename, p.roles
        having array_agg(distinct r.role_name order by r.role_name) <> array(select unnest(p.roles) as u order by u)
    loop
        execute format(
            'alter policy readers on awf.%I to %s',
            v_policy.tablename,
            (select string_agg(quote_ident(n.role_name), ', ') from unnest(v_policy.readers) as n (role_name))
        );
    end loop;
end;
$$;
comment on function awf._apply_policies() is 'Brings the policy "readers" of every table in line with the admitted roles.';

-- 75_operate/_definers.sql
-- The functions that run with the owner's rights (SECURITY DEFINER), each for a reason: the one list, held by a test.
-- Called by the catalogue test only.
-- Costs nothing: a constant.
create or replace function awf._definers()
returns table (function_name text, reason text)
language sql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
    values
    ('grant_usage', 'grants on the owner''s objects'),
    ('revoke_usage', 'revokes on the owner''s objects'),
    ('set_setting', 'checked change of a table that nobody may write'),
    ('set_player_hash_key', 'writes the secret that nobody may read'),
    ('hash_player', 'reads the secret that nobody may read'),
    ('create_experiment', 'checked change of a table that nobody may write'),
    ('update_experiment', 'checked change of a table that nobody may write'),
    ('delete_experiment', 'checked change of a table that nobody may write'),
    ('start_experiment', 'checked change of a table that nobody may write'),
    ('stop_experiment', 'checked change of a table that nobody may write'),
    ('create_variation', 'checked change of a table that nobody may write'),
    ('update_variation', 'checked change of a table that nobody may write'),
    ('delete_variation', 'checked change of a table that nobody may write'),
    ('_touch_config', 'trigger: counts the revision, which nobody may write'),
    ('active_config', 'writers read the configuration, but no table'),
    ('assign', 'writers ask for assignments, but read no table'),
    ('turn_params', 'writers ask for parameters, but read no table'),
    ('dimension_ids', 'writers add to the dictionaries, but read no table'),
    ('open_batch', 'makes partitions and writes the ingest log'),
    ('_guard_copy', 'trigger: reads the ingest log, which writers may not'),
    ('open_stage', 'makes the staging table as its owner'),
    ('ingest_batch', 'writes events, which writers may only COPY into an open batch'),
    ('reject_event', 'writes rejected events, which writers may not read'),
    ('record_turn', 'writes events'),
    ('record_turns', 'writes events'),
    ('_insert_analytics_event', 'trigger: writes events'),
    ('refresh_rollups', 'writes rollups that nobody may write'),
    ('rollup_daily', 'writes rollups that nobody may write'),
    ('backfill', 'writes rollups that nobody may write'),
    ('analytics_stats', 'counts rows that readers may not see');
$$;
comment on function awf._definers() is 'Every SECURITY DEFINER function of schema awf, with the reason why it is one.';

-- 75_operate/_function_rights.sql
-- Which kind of role may call which function: the one list of function rights.
-- Called by _apply_grants().
-- Costs nothing: a constant.
create or replace function awf._function_rights()
returns table (kind text, function_name text)
language sql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select k.kind, f.name
    from (values ('reader'), ('analyst'), ('writer'), ('admin')) as k (kind)
    cross join (
        values ('version'), ('_now'), ('_caller'), ('_fnv1a'), ('hash_unit'), ('equal_weights'), ('bucket_ranges'), ('choose_variation')
    ) as f (name)
    union all
    select k.kind, f.name
    from (values ('reader'), ('analyst'), ('admin')) as k (kind)
    cross join (
        values ('list_experiments'), ('get_experiment'), ('list_variations'), ('_experiment_document'), ('_variation_document'), ('_find_experiment'),
        ('_check_range'), ('_check_grouping'), ('_report_range_notice'), ('experiment_report'), ('analytics_stats'), ('assign'),
        ('active_config')
    ) as f (name)
    union all
    select k.kind, f.name
    from (values ('writer'), ('admin')) as k (kind)
    cross join (
        values ('active_config'), ('assign'), ('turn_params'), ('hash_player'), ('dimension_ids'), ('open_batch'),
        ('open_stage'), ('ingest_batch'), ('reject_event'), ('record_turn'), ('record_turns')
    ) as f (name)
    union all
    select 'admin', f.name
    from (
        values ('create_experiment'), ('update_experiment'), ('delete_experiment'), ('start_experiment'), ('stop_experiment'),
        ('create_variation'), ('update_variation'), ('delete_variation'), ('set_setting'), ('set_player_hash_key'),
        ('refresh_rollups'), ('rollup_daily'), ('backfill')
    ) as f (name);
$$;
comment on function awf._function_rights() is 'Function rights of each kind of role.';

-- 75_operate/_table_rights.sql
-- Which kind of role may read which table or view, and which columns: the one list of table rights.
-- Called by _apply_grants().
-- Costs nothing: a constant.
create or replace function awf._table_rights()
returns table (kind text, relation text, privilege text)
language sql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
    with shared (relation, privilege) as (
        values
        ('experiments', 'select'),
        ('experiment_variations', 'select'),
        ('variation_ids', 'select'),
        ('dimensions', 'select'),
        ('settings', 'select'),
        ('knobs', 'select'),
        ('metrics', 'select'),
        ('config_state', 'select'),
        ('daily_totals', 'select'),
        ('daily_rollups', 'select')
    ),

    raw (relation, privilege) as (
        values
        ('exposures', 'select'),
        ('turn_events', 'select'),
        ('analytics_events', 'select'),
        ('ingest_log', 'select'),
        ('rejected_events', 'select'),
        ('schema_steps', 'select'),
        ('role_grants', 'select')
    )

    select k.kind, s.relation, s.privilege from shared as s cross join (values ('reader'), ('analyst'), ('admin')) as k (kind)
    union all
    select k.kind, r.relation, r.privilege from raw as r cross join (values ('analyst'), ('admin')) as k (kind)
    union all
    -- Enough to count first exposures, and nothing that names a unit.
    select 'reader', 'exposures', 'select (experiment_id, variation_id, locale_id, first_ts)'
    union all
    select k.kind, 'analytics_events', 'insert' from (values ('writer'), ('admin')) as k (kind)
    union all
    -- The default of batch_id asks for currval(); USAGE would allow nextval() too, and with it a forged batch_id.
    select k.kind, 'ingest_log_batch_id_seq', 'select' from (values ('writer'), ('admin')) as k (kind);
$$;
comment on function awf._table_rights() is 'Table and view rights of each kind of role.';

-- 75_operate/create_roles.sql
-- Makes the four group roles and gives them their rights.
-- Called by an owner who may create roles (CREATEROLE); managed servers may use grant_usage() on roles of their own instead.
-- Creates roles, which belong to the whole cluster.
create or replace function awf.create_roles()
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_kind text;
begin
    foreach v_kind in array array['reader', 'analyst', 'writer', 'admin'] loop
        if to_regrole(format('awf_%s', v_kind)) is null then
            execute format('create role %I nologin', 'awf_' || v_kind);
        end if;
        perform awf.grant_usage('awf_' || v_kind, v_kind);
    end loop;
end;
$$;
comment on function awf.create_roles() is
'Makes the group roles awf_reader, awf_analyst, awf_writer and awf_admin where they are missing and gives them their rights.
The caller needs CREATEROLE for roles that are missing, and must be a member of the owner of schema awf.
Then: GRANT awf_writer TO my_service;';

-- 75_operate/grant_usage.sql
-- Admits a role: records it and grants what its kind may do, on everything there is and will be.
-- Called by the owner (or create_roles()).
-- Locks the catalogue rows of the objects it grants on.
create or replace function awf.grant_usage(p_role text, p_kind text)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    if p_kind is null or p_kind not in ('reader', 'analyst', 'writer', 'admin') then
        raise exception using
            errcode = 'WF403',
            message = format('there is no kind of role "%s"', coalesce(p_kind, 'NULL')),
            hint = 'Kinds: reader (reports), analyst (also raw rows), writer (ingest), admin (everything).';
    end if;
    if not exists (select from pg_catalog.pg_roles as r where r.rolname = p_role) then
        raise exception using
            errcode = 'WF404',
            message = format('role "%s" does not exist', coalesce(p_role, 'NULL')),
            hint = format('CREATE ROLE %I; then try again.', coalesce(p_role, 'name'));
    end if;
    insert into awf.role_grants (role_name, kind, granted_by)
    values (p_role, p_kind, awf._caller())
    on conflict (role_name, kind) do nothing;
    perform awf._apply_grants();
end;
$$;
comment on function awf.grant_usage(text, text) is
'Gives a role the rights of a kind: reader, analyst, writer or admin. Only the owner of schema awf (and who may act as it) can.
The role is remembered: objects made later get the same grants. revoke_usage() takes it back.
Errors: WF403 (no such kind), WF404 (no such role).
Example: SELECT awf.grant_usage(''grafana'', ''reader'');';

-- 75_operate/revoke_usage.sql
-- Takes the rights of a kind back from a role.
-- Called by the owner.
-- Locks the catalogue rows of the objects it revokes on.
create or replace function awf.revoke_usage(p_role text, p_kind text)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    delete from awf.role_grants as g where g.role_name = p_role and g.kind = p_kind;
    if not found then
        raise exception using
            errcode = 'WF404',
            message = format('role "%s" does not have the rights of kind "%s"', coalesce(p_role, 'NULL'), coalesce(p_kind, 'NULL')),
            hint = 'SELECT * FROM awf.role_grants; shows who has which.';
    end if;
    execute format('revoke all on all tables in schema awf from %I', p_role);
    execute format('revoke all on all sequences in schema awf from %I', p_role);
    execute format('revoke all on all functions in schema awf from %I', p_role);
    execute format('revoke all on schema awf from %I', p_role);
    perform awf._apply_grants();
end;
$$;
comment on function awf.revoke_usage(text, text) is
'Takes the rights of a kind (reader, analyst, writer, admin) back from a role. Only the owner of schema awf can.
Errors: WF404 (the role does not have them).
Example: SELECT awf.revoke_usage(''grafana'', ''reader'');';

-- 99_privileges.sql
-- Privileges, last of all: nobody may call anything that grant_usage() did not give.

revoke all on all functions in schema awf from public;
