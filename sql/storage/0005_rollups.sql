-- What the refresh keeps: totals by day, and the first exposure of every unit.

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
