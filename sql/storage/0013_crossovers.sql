-- Crossovers: units that were seen in more than one variation of a phase.

create table awf.crossovers (
    experiment_id bigint not null,
    unit_id text not null,
    phase integer not null,
    variation_id integer not null,
    first_ts timestamptz not null,
    event_id uuid not null,
    player_hash bytea not null,
    primary key (experiment_id, unit_id, phase, variation_id)
);
comment on table awf.crossovers is
'Units that were seen in more than one variation of a phase: a row for each of those variations, with the earliest event by (ts, event
id) that shows it, in whatever order events arrive. A unit that kept its variation has no row.';
comment on column awf.crossovers.experiment_id is 'experiments.id.';
comment on column awf.crossovers.unit_id is 'Session id or player hash (hex), as the experiment''s hash basis says.';
comment on column awf.crossovers.phase is 'Phase of the experiment.';
comment on column awf.crossovers.variation_id is 'A variation it was seen in, in variation_ids.';
comment on column awf.crossovers.first_ts is 'When it was first seen in it.';
comment on column awf.crossovers.event_id is 'The event that showed it.';
comment on column awf.crossovers.player_hash is 'Player of that event.';

-- The log is asked for its last minutes; it is written in the order of time.
create index ingest_log_opened on awf.ingest_log using brin (opened_at) with (pages_per_range = 16);

alter table awf.crossovers enable row level security;
create policy readers on awf.crossovers for select to current_user using (true);
