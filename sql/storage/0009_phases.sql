-- Phases: what assigned units when, for every moment since an experiment began.

alter table awf.experiments
add column phase integer not null default 1 check (phase >= 1),
add column bucket_version integer not null default 0 check (bucket_version >= 0),
add column min_bucket_version integer not null default 0 check (min_bucket_version between 0 and bucket_version),
add column sticky boolean not null default false,
add column opt_in boolean not null default false,
add column allow_overlap boolean not null default false,
add column ramp jsonb not null default '[]'::jsonb check (jsonb_typeof(ramp) = 'array'),
add column owner text,
add column hypothesis text,
add column tags text[] not null default '{}'::text[],
add column conclusion text,
add column revision bigint not null default 1;
comment on column awf.experiments.phase is 'Number of its phase: 1 until open_phase() opens another.';
comment on column awf.experiments.bucket_version is 'Version of the sticky assignments: a unit keeps the variation that it was given under this version.';
comment on column awf.experiments.min_bucket_version is 'Units with a sticky assignment of a version below this one are out.';
comment on column awf.experiments.sticky is 'A unit keeps its first variation when a later phase would give it another.';
comment on column awf.experiments.opt_in is 'Only turns that have opted in take part.';
comment on column awf.experiments.allow_overlap is 'May run beside an experiment outside its layer that sets one of its knobs.';
comment on column awf.experiments.ramp is 'Plan of the coverage: [{"coverage": 0..1, "at": time or null}, ...], rising.';
comment on column awf.experiments.owner is 'Who answers for it.';
comment on column awf.experiments.hypothesis is 'What it is meant to show.';
comment on column awf.experiments.tags is 'Words to find it by.';
comment on column awf.experiments.conclusion is 'What came of it.';
comment on column awf.experiments.revision is 'Counts the changes of the experiment and its variations; a change may name the one that it was made for.';

create table awf.experiment_phases (
    experiment_id bigint not null references awf.experiments (id) on delete cascade,
    start_at timestamptz not null,
    phase integer not null check (phase >= 1),
    running boolean not null,
    coverage double precision not null check (coverage between 0 and 1),
    allocations jsonb not null,
    ranges jsonb not null,
    hash_seed text not null,
    condition jsonb not null,
    bucket_version integer not null,
    min_bucket_version integer not null,
    primary key (experiment_id, start_at)
);
comment on table awf.experiment_phases is
'The life of each experiment: a row is in force from its start to the start of the next one, so none overlap. A new coverage, a stop
and a restart are rows of the same phase; other allocations, another seed or condition are another phase.';
comment on column awf.experiment_phases.experiment_id is 'experiments.id.';
comment on column awf.experiment_phases.start_at is 'In force from this moment on; later than now where it is planned.';
comment on column awf.experiment_phases.phase is 'Number of the phase.';
comment on column awf.experiment_phases.running is 'False from a stop on: no unit is in.';
comment on column awf.experiment_phases.coverage is 'Share of the units that take part, 0 to 1.';
comment on column awf.experiment_phases.allocations is 'Expected split: [{"variation": key, "percent": number}, ...].';
comment on column awf.experiment_phases.ranges is '[[low, high), ...] in the order of the allocations: bucket_ranges() of both.';
comment on column awf.experiment_phases.hash_seed is 'Seed of the assignment hash.';
comment on column awf.experiment_phases.condition is 'Which turns take part, as matches() reads it.';
comment on column awf.experiment_phases.bucket_version is 'Version of the sticky assignments.';
comment on column awf.experiment_phases.min_bucket_version is 'Oldest version of sticky assignments whose units are not out.';

alter table awf.variation_ids
add column phase integer not null default 1,
drop constraint variation_ids_experiment_id_variation_key_key,
add unique (experiment_id, phase, variation_key);
comment on column awf.variation_ids.phase is 'Phase of the experiment: each phase numbers its variations anew, so an event tells its phase.';
comment on column awf.experiment_variations.id is 'Its number in variation_ids in the experiment''s phase of today.';

alter table awf.exposures
add column phase integer not null default 1,
drop constraint exposures_pkey,
add primary key (experiment_id, unit_id, phase);
alter table awf.exposures alter column phase drop default;
comment on table awf.exposures is
'First exposure of each unit to each phase of an experiment: the earliest by (ts, event id), in whatever order events arrive.';
comment on column awf.exposures.phase is 'Phase of the experiment.';

-- Experiments that an earlier version started. One that was stopped before it began never assigned a unit; one that began ended
-- with its stop, at the latest when its row was last written, whatever end it was given afterwards.
insert into awf.experiment_phases
select
    e.id,
    coalesce(e.start_at, e.created_at),
    1,
    true,
    e.coverage,
    e.allocations,
    awf.bucket_ranges(
        jsonb_array_length(e.allocations), e.coverage, array(
            select (a.entry ->> 'percent')::double precision / 100
            from jsonb_array_elements(e.allocations) with ordinality as a (entry, place)
            order by a.place
        )
    ),
    e.hash_seed,
    e.condition,
    0,
    0
from awf.experiments as e
where
    e.status = 'running' or (
        e.status = 'stopped' and e.start_at < e.updated_at
        and (e.stop_at <= e.updated_at or e.id in (select x.experiment_id from awf.exposures as x))
    );

insert into awf.experiment_phases
select
    p.experiment_id,
    case e.status when 'stopped' then least(e.stop_at, e.updated_at) else e.stop_at end,
    p.phase,
    false,
    p.coverage,
    p.allocations,
    p.ranges,
    p.hash_seed,
    p.condition,
    p.bucket_version,
    p.min_bucket_version
from awf.experiment_phases as p
inner join awf.experiments as e on p.experiment_id = e.id
where e.stop_at is not null or e.status = 'stopped';

alter table awf.experiment_phases enable row level security;
create policy readers on awf.experiment_phases for select to current_user using (true);
