-- What an operator sets: database-wide settings, the knobs that experiments may turn, the metrics of a turn.

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
