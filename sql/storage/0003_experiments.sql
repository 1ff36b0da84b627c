-- Experiments and their variations.

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
