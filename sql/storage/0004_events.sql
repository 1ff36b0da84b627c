-- Turn events: dictionaries, the log of ingest batches, the events by day, and what was refused.

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
