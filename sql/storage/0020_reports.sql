-- Reports: how many units were first exposed on a day, and views for what is read often and may be minutes old.

create table awf.exposure_days (
    variation_id integer not null,
    day date not null,
    locale_id integer not null,
    units bigint not null,
    primary key (variation_id, day, locale_id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
comment on table awf.exposure_days is
'How many units of exposures were first seen in a variation (of an experiment and phase) on a day (UTC), by the locale of that turn. A
trigger of exposures keeps it.';
comment on column awf.exposure_days.variation_id is 'Number in variation_ids, of an experiment and phase.';
comment on column awf.exposure_days.day is 'Day of the first exposure, UTC.';
comment on column awf.exposure_days.locale_id is 'Locale of the first exposed turn, in dimensions.';
comment on column awf.exposure_days.units is 'Units.';
insert into awf.exposure_days (variation_id, day, locale_id, units)
select
    x.variation_id,
    (x.first_ts at time zone 'UTC')::date,
    x.locale_id,
    count(*)
from awf.exposures as x
group by x.variation_id, (x.first_ts at time zone 'UTC')::date, x.locale_id;

alter table awf.exposure_days enable row level security;
create policy readers on awf.exposure_days for select to current_user using (true);

create table awf.locale_totals (
    variation_id integer not null,
    period text not null check (period in ('day', 'month', 'run')),
    start date not null,
    locale_id integer not null,
    n bigint[] not null,
    sum bigint[] not null,
    sum_squares numeric[] not null,
    min bigint[] not null,
    max bigint[] not null,
    primary key (variation_id, period, start, locale_id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
comment on table awf.locale_totals is
'Additive totals of the turns by variation and locale, for days (UTC), months and the whole run: what most reports add up.';
comment on column awf.locale_totals.variation_id is 'Number in variation_ids; 0 counts every turn once, whatever experiments it carries.';
comment on column awf.locale_totals.period is 'day, month or run.';
comment on column awf.locale_totals.start is 'First day of the period; -infinity for the whole run.';
comment on column awf.locale_totals.locale_id is 'Locale, in dimensions.';
comment on column awf.locale_totals.n is 'For each metric the turns that carry it: element 1 is metric 0 (failed), which all carry, element metric_id + 1 the others.';
comment on column awf.locale_totals.sum is 'For each metric the sum in stored units (latencies: microseconds), 0 where n is 0; exact.';
comment on column awf.locale_totals.sum_squares is 'For each metric the sum of squares in stored units; exact.';
comment on column awf.locale_totals.min is 'For each metric the smallest value in stored units; NULL where n is 0.';
comment on column awf.locale_totals.max is 'For each metric the largest value in stored units.';
create index locale_totals_start on awf.locale_totals (start, period);
insert into awf.locale_totals (variation_id, period, start, locale_id, n, sum, sum_squares, min, max)
select
    c.variation_id,
    c.period,
    c.start,
    c.locale_id,
    array_agg(c.n order by c.place),
    array_agg(c.sum order by c.place),
    array_agg(c.sum_squares order by c.place),
    array_agg(c.min order by c.place),
    array_agg(c.max order by c.place)
from (
    select
        d.variation_id,
        p.period,
        p.start,
        d.locale_id,
        u.place,
        sum(u.n)::bigint as n,
        sum(u.sum)::bigint as sum,
        sum(u.sum_squares) as sum_squares,
        min(u.min) as min,
        max(u.max) as max
    from awf.daily_totals as d
    cross join
        lateral (
            values ('day', d.day), ('month', date_trunc('month', d.day)::date), ('run', '-infinity')
        ) as p (period, start)
    cross join
        lateral unnest(d.n, d.sum, d.sum_squares, d.min, d.max) with ordinality as u (n, sum, sum_squares, min, max, place)
    group by d.variation_id, p.period, p.start, d.locale_id, u.place
) as c
group by c.variation_id, c.period, c.start, c.locale_id;
alter table awf.locale_totals enable row level security;
create policy readers on awf.locale_totals for select to current_user using (true);

-- Private: a materialised view knows no row-level security. experiment_overview() and daily_activity() show them.
create materialized view awf.experiment_snapshot as
with totals as (
    select
        d.variation_id,
        min(d.day) as first_day,
        max(d.day) as last_day,
        sum(d.n[1]) as turns,
        sum(d.sum[1]) as failed_turns,
        sum(d.sum[5]) filter (where d.n[5] > 0) as bundle_tokens,
        sum(d.sum[6]) filter (where d.n[6] > 0) as output_tokens,
        sum(d.sum[2]) filter (where d.n[2] > 0) as latency_us,
        sum(d.n[2]) filter (where d.n[2] > 0) as latencies
    from awf.daily_totals as d
    group by d.variation_id
),

units as (
    select
        d.variation_id,
        sum(d.units) as exposures
    from awf.exposure_days as d
    group by d.variation_id
)

select
    v.experiment_id,
    min(t.first_day) as first_day,
    max(t.last_day) as last_day,
    sum(t.turns)::bigint as turns,
    sum(t.failed_turns)::bigint as failed_turns,
    sum(t.bundle_tokens) as bundle_tokens,
    sum(t.output_tokens) as output_tokens,
    sum(t.latency_us) as latency_us,
    sum(t.latencies) as latencies,
    sum(x.exposures)::bigint as exposures
from awf.variation_ids as v
inner join totals as t on v.id = t.variation_id
left join units as x on v.id = x.variation_id
group by v.experiment_id;
comment on materialized view awf.experiment_snapshot is 'Totals of each experiment as of the last refresh_views(), in stored units.';
comment on column awf.experiment_snapshot.experiment_id is 'experiments.id.';
comment on column awf.experiment_snapshot.first_day is 'First day with turns, UTC.';
comment on column awf.experiment_snapshot.last_day is 'Last day with turns, UTC.';
comment on column awf.experiment_snapshot.turns is 'Turns.';
comment on column awf.experiment_snapshot.failed_turns is 'Turns that failed.';
comment on column awf.experiment_snapshot.bundle_tokens is 'Sum of bundleTokens.';
comment on column awf.experiment_snapshot.output_tokens is 'Sum of outputTokens.';
comment on column awf.experiment_snapshot.latency_us is 'Sum of turnLatencyMs in microseconds.';
comment on column awf.experiment_snapshot.latencies is 'Turns that carry turnLatencyMs.';
comment on column awf.experiment_snapshot.exposures is 'Units first exposed, once in each phase.';
create unique index experiment_snapshot_key on awf.experiment_snapshot (experiment_id);

create materialized view awf.activity_snapshot as
with totals as (
    select
        d.day,
        sum(d.n[1])::bigint as turns,
        sum(d.sum[1])::bigint as failed_turns,
        sum(d.sum[5]) filter (where d.n[5] > 0) as bundle_tokens,
        sum(d.sum[6]) filter (where d.n[6] > 0) as output_tokens,
        sum(d.sum[2]) filter (where d.n[2] > 0) as latency_us,
        sum(d.n[2]) filter (where d.n[2] > 0) as latencies
    from awf.daily_totals as d
    where d.variation_id = 0 and d.day > (now() at time zone 'UTC')::date - 92
    group by d.day
),

players as (
    select
        d.day,
        count(*) as players
    from awf.player_days as d
    where d.day > (now() at time zone 'UTC')::date - 92
    group by d.day
)

select
    t.day,
    coalesce(p.players, 0) as players,
    t.turns,
    t.failed_turns,
    t.bundle_tokens,
    t.output_tokens,
    t.latency_us,
    t.latencies
from totals as t
left join players as p on t.day = p.day;
comment on materialized view awf.activity_snapshot is
'Turns and players of the last 92 days (UTC) as of the last refresh_views(), in stored units.';
comment on column awf.activity_snapshot.day is 'Day, UTC.';
comment on column awf.activity_snapshot.players is 'Players with turns.';
comment on column awf.activity_snapshot.turns is 'Turns.';
comment on column awf.activity_snapshot.failed_turns is 'Turns that failed.';
comment on column awf.activity_snapshot.bundle_tokens is 'Sum of bundleTokens.';
comment on column awf.activity_snapshot.output_tokens is 'Sum of outputTokens.';
comment on column awf.activity_snapshot.latency_us is 'Sum of turnLatencyMs in microseconds.';
comment on column awf.activity_snapshot.latencies is 'Turns that carry turnLatencyMs.';
create unique index activity_snapshot_key on awf.activity_snapshot (day);

create table awf.view_refreshes (
    view_name text primary key,
    refreshed_at timestamptz not null
);
comment on table awf.view_refreshes is 'How old the materialised views are.';
comment on column awf.view_refreshes.view_name is 'Materialised view.';
comment on column awf.view_refreshes.refreshed_at is 'When refresh_views() last read what it shows.';
insert into awf.view_refreshes (view_name, refreshed_at) values
('experiment_snapshot', now()),
('activity_snapshot', now());
alter table awf.view_refreshes enable row level security;
create policy readers on awf.view_refreshes for select to current_user using (true);

insert into awf.jobs (name, place, schedule, every, description) values
('views', 40, '*/5 * * * *', '5 minutes', 'Brings the overviews of experiments and days up to date; counts their rows.');
