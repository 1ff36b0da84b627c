-- What reports and analyses read beside the daily totals: hours, adventures and models, distributions, units, players, moments.

alter table awf.metrics add column has_histogram boolean not null default false;
comment on column awf.metrics.has_histogram is 'Its distribution is kept in histograms, so that reports have its quantiles.';
update awf.metrics set has_histogram = true
where name in ('turnLatencyMs', 'modelLatencyMs', 'bundleMs', 'bundleTokens', 'outputTokens');

alter table awf.exposures alter column unit_id type text collate "C";
alter table awf.crossovers alter column unit_id type text collate "C";
-- Exposures are stored in the order of their time, nearly; a tree for it costs each new unit as much as the primary key does.
drop index awf.exposures_variation;
create index exposures_first_ts on awf.exposures using brin (first_ts) with (pages_per_range = 16, autosummarize = on);

-- A row for each cell, with a list for each sum, in place of a row for each metric: a refresh changes a twelfth of the rows.
alter table awf.daily_totals rename to daily_totals_by_metric;
alter index awf.daily_totals_pkey rename to daily_totals_by_metric_pkey;
alter index awf.daily_totals_day rename to daily_totals_by_metric_day;
create table awf.daily_totals (
    variation_id integer not null,
    day date not null,
    world_id integer not null,
    locale_id integer not null,
    n bigint[] not null,
    sum bigint[] not null,
    sum_squares numeric[] not null,
    min bigint[] not null,
    max bigint[] not null,
    primary key (variation_id, day, world_id, locale_id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
comment on table awf.daily_totals is
'Additive totals of the turns by variation, day (UTC), world and locale. Rows merge by n, sum, sum_squares + and min, max of each element.';
comment on column awf.daily_totals.variation_id is 'Number in variation_ids; 0 counts every turn once, whatever experiments it carries.';
comment on column awf.daily_totals.day is 'Day, UTC.';
comment on column awf.daily_totals.world_id is 'World, in dimensions.';
comment on column awf.daily_totals.locale_id is 'Locale, in dimensions.';
comment on column awf.daily_totals.n is 'For each metric the turns that carry it: element 1 is metric 0 (failed), which all carry, element metric_id + 1 the others.';
comment on column awf.daily_totals.sum is 'For each metric the sum in stored units (latencies: microseconds), 0 where n is 0; exact.';
comment on column awf.daily_totals.sum_squares is 'For each metric the sum of squares in stored units; exact.';
comment on column awf.daily_totals.min is 'For each metric the smallest value in stored units; NULL where n is 0.';
comment on column awf.daily_totals.max is 'For each metric the largest value in stored units.';
create index daily_totals_day on awf.daily_totals (day);
insert into awf.daily_totals (variation_id, day, world_id, locale_id, n, sum, sum_squares, min, max)
select
    c.variation_id,
    c.day,
    c.world_id,
    c.locale_id,
    array_agg(coalesce(d.n, 0) order by m.id),
    array_agg(coalesce(d.sum, 0)::bigint order by m.id),
    array_agg(coalesce(d.sum_squares, 0) order by m.id),
    array_agg(d.min order by m.id),
    array_agg(d.max order by m.id)
from (
    select distinct
        x.variation_id,
        x.day,
        x.world_id,
        x.locale_id
    from awf.daily_totals_by_metric as x
) as c
cross join awf.metrics as m
left join awf.daily_totals_by_metric as d
    on
        c.variation_id = d.variation_id and c.day = d.day and c.world_id = d.world_id and c.locale_id = d.locale_id
        and m.id = d.metric_id
group by c.variation_id, c.day, c.world_id, c.locale_id;
-- The view over it is made anew behind the steps; until then it keeps its columns, for other views that read it.
do $view$
begin
    if to_regclass('awf.daily_rollups') is not null then
        execute (
            select
                format(
                    'create or replace view awf.daily_rollups as select %s where false',
                    string_agg(format('null::%s as %I', format_type(a.atttypid, a.atttypmod), a.attname), ', ' order by a.attnum)
                )
            from pg_catalog.pg_attribute as a
            where a.attrelid = to_regclass('awf.daily_rollups') and a.attnum > 0
        );
    end if;
end;
$view$;
drop table awf.daily_totals_by_metric;
alter table awf.daily_totals enable row level security;
create policy readers on awf.daily_totals for select to current_user using (true);

-- Rows that change all the time have room beside them, so that no index has to follow (HOT updates).
create table awf.dimension_totals (
    variation_id integer not null,
    day date not null,
    kind text not null check (kind in ('adventure', 'model')),
    dimension_id integer not null,
    n bigint[] not null,
    sum bigint[] not null,
    sum_squares numeric[] not null,
    min bigint[] not null,
    max bigint[] not null,
    primary key (variation_id, day, kind, dimension_id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
comment on table awf.dimension_totals is
'Additive totals of the turns by variation, day (UTC), and adventure or model. Apart from daily_totals, so that either stays small.';
comment on column awf.dimension_totals.variation_id is 'Number in variation_ids; 0 counts every turn once, whatever experiments it carries.';
comment on column awf.dimension_totals.day is 'Day, UTC.';
comment on column awf.dimension_totals.kind is 'adventure or model.';
comment on column awf.dimension_totals.dimension_id is 'Which one, in dimensions; 0 for turns that told no model.';
comment on column awf.dimension_totals.n is 'For each metric the turns that carry it: element 1 is metric 0 (failed), which all carry, element metric_id + 1 the others.';
comment on column awf.dimension_totals.sum is 'For each metric the sum in stored units (latencies: microseconds), 0 where n is 0; exact.';
comment on column awf.dimension_totals.sum_squares is 'For each metric the sum of squares in stored units; exact.';
comment on column awf.dimension_totals.min is 'For each metric the smallest value in stored units; NULL where n is 0.';
comment on column awf.dimension_totals.max is 'For each metric the largest value in stored units.';
create index dimension_totals_day on awf.dimension_totals (day);

create table awf.hourly_totals (
    variation_id integer not null,
    hour timestamptz not null check (date_trunc('hour', hour, 'UTC') = hour),
    locale_id integer not null,
    n bigint[] not null,
    sum bigint[] not null,
    sum_squares numeric[] not null,
    min bigint[] not null,
    max bigint[] not null,
    primary key (variation_id, hour, locale_id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
comment on table awf.hourly_totals is
'Additive totals of the turns by variation, hour (UTC) and locale: what reports by the days of a time zone add up.';
comment on column awf.hourly_totals.variation_id is 'Number in variation_ids; 0 counts every turn once, whatever experiments it carries.';
comment on column awf.hourly_totals.hour is 'Begin of the hour, UTC.';
comment on column awf.hourly_totals.locale_id is 'Locale, in dimensions.';
comment on column awf.hourly_totals.n is 'For each metric the turns that carry it: element 1 is metric 0 (failed), which all carry, element metric_id + 1 the others.';
comment on column awf.hourly_totals.sum is 'For each metric the sum in stored units (latencies: microseconds), 0 where n is 0; exact.';
comment on column awf.hourly_totals.sum_squares is 'For each metric the sum of squares in stored units; exact.';
comment on column awf.hourly_totals.min is 'For each metric the smallest value in stored units; NULL where n is 0.';
comment on column awf.hourly_totals.max is 'For each metric the largest value in stored units.';
create index hourly_totals_hour on awf.hourly_totals (hour);

create table awf.histograms (
    variation_id integer not null,
    period text not null check (period in ('day', 'month', 'run')),
    start date not null,
    locale_id integer not null,
    metric_id smallint not null references awf.metrics (id),
    buckets smallint[] not null,
    counts bigint[] not null,
    primary key (variation_id, period, start, locale_id, metric_id),
    check (cardinality(buckets) = cardinality(counts))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
comment on table awf.histograms is
'Distributions of the latency and token metrics by variation and locale, for days (UTC), months and the whole run, in buckets that grow
by a constant factor: whatever days are added up, each quantile is known within 1 % (Masson et al. 2019, DDSketch).';
comment on column awf.histograms.variation_id is 'Number in variation_ids; 0 counts every turn once, whatever experiments it carries.';
comment on column awf.histograms.period is 'day, month or run.';
comment on column awf.histograms.start is 'First day of the period; -infinity for the whole run.';
comment on column awf.histograms.locale_id is 'Locale, in dimensions.';
comment on column awf.histograms.metric_id is 'Metric (has_histogram).';
comment on column awf.histograms.buckets is
'The buckets that are not empty, in order: k holds the stored values above gamma^(k-1) up to gamma^k, gamma = 1.01 / 0.99; -1 holds zeros.';
comment on column awf.histograms.counts is 'Turns in each of them.';
create index histograms_start on awf.histograms (start, period);

create table awf.unit_totals (
    variation_id integer not null,
    unit_id text collate "C" not null, -- compared as bytes, many times a refresh
    day date not null,
    world_id integer not null,
    locale_id integer not null,
    player_hash bytea not null,
    turns bigint not null,
    failed_turns bigint not null,
    turn_latency_us_count bigint not null,
    turn_latency_us_sum bigint not null,
    model_latency_us_count bigint not null,
    model_latency_us_sum bigint not null,
    bundle_us_count bigint not null,
    bundle_us_sum bigint not null,
    bundle_tokens_count bigint not null,
    bundle_tokens_sum bigint not null,
    output_tokens_count bigint not null,
    output_tokens_sum bigint not null,
    retries_count bigint not null,
    retries_sum bigint not null,
    fallbacks_count bigint not null,
    fallbacks_sum bigint not null,
    tool_calls_count bigint not null,
    tool_calls_sum bigint not null,
    acts_count bigint not null,
    acts_sum bigint not null,
    choices_count bigint not null,
    choices_sum bigint not null,
    time_advance_ticks_count bigint not null,
    time_advance_ticks_sum bigint not null,
    primary key (variation_id, unit_id, day, world_id, locale_id, player_hash)
) with (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);
comment on table awf.unit_totals is
'Totals of each unit by variation, day (UTC), world and locale, over the turns that carry the variation: those from its first exposure on.
A unit''s total is the sum of its rows. What a player did before is in player_days.';
comment on column awf.unit_totals.variation_id is 'Number in variation_ids, of an experiment and phase.';
comment on column awf.unit_totals.unit_id is 'Session id or player hash (hex), as the experiment''s hash basis says.';
comment on column awf.unit_totals.day is 'Day, UTC.';
comment on column awf.unit_totals.world_id is 'World, in dimensions.';
comment on column awf.unit_totals.locale_id is 'Locale, in dimensions.';
comment on column awf.unit_totals.player_hash is 'Player of the turns.';
comment on column awf.unit_totals.turns is 'Turns.';
comment on column awf.unit_totals.failed_turns is 'Turns that failed.';
comment on column awf.unit_totals.turn_latency_us_count is 'Turns that carry turnLatencyMs.';
comment on column awf.unit_totals.turn_latency_us_sum is 'Sum of turnLatencyMs in stored units; exact.';
comment on column awf.unit_totals.model_latency_us_count is 'Turns that carry modelLatencyMs.';
comment on column awf.unit_totals.model_latency_us_sum is 'Sum of modelLatencyMs in stored units; exact.';
comment on column awf.unit_totals.bundle_us_count is 'Turns that carry bundleMs.';
comment on column awf.unit_totals.bundle_us_sum is 'Sum of bundleMs in stored units; exact.';
comment on column awf.unit_totals.bundle_tokens_count is 'Turns that carry bundleTokens.';
comment on column awf.unit_totals.bundle_tokens_sum is 'Sum of bundleTokens in stored units; exact.';
comment on column awf.unit_totals.output_tokens_count is 'Turns that carry outputTokens.';
comment on column awf.unit_totals.output_tokens_sum is 'Sum of outputTokens in stored units; exact.';
comment on column awf.unit_totals.retries_count is 'Turns that carry retries.';
comment on column awf.unit_totals.retries_sum is 'Sum of retries in stored units; exact.';
comment on column awf.unit_totals.fallbacks_count is 'Turns that carry fallbacks.';
comment on column awf.unit_totals.fallbacks_sum is 'Sum of fallbacks in stored units; exact.';
comment on column awf.unit_totals.tool_calls_count is 'Turns that carry toolCalls.';
comment on column awf.unit_totals.tool_calls_sum is 'Sum of toolCalls in stored units; exact.';
comment on column awf.unit_totals.acts_count is 'Turns that carry acts.';
comment on column awf.unit_totals.acts_sum is 'Sum of acts in stored units; exact.';
comment on column awf.unit_totals.choices_count is 'Turns that carry choices.';
comment on column awf.unit_totals.choices_sum is 'Sum of choices in stored units; exact.';
comment on column awf.unit_totals.time_advance_ticks_count is 'Turns that carry timeAdvanceTicks.';
comment on column awf.unit_totals.time_advance_ticks_sum is 'Sum of timeAdvanceTicks in stored units; exact.';
create index unit_totals_day on awf.unit_totals using brin (day) with (pages_per_range = 32);

create table awf.player_days (
    player_hash bytea not null,
    day date not null,
    turns bigint not null,
    failed_turns bigint not null,
    turn_latency_us_count bigint not null,
    turn_latency_us_sum bigint not null,
    model_latency_us_count bigint not null,
    model_latency_us_sum bigint not null,
    bundle_us_count bigint not null,
    bundle_us_sum bigint not null,
    bundle_tokens_count bigint not null,
    bundle_tokens_sum bigint not null,
    output_tokens_count bigint not null,
    output_tokens_sum bigint not null,
    retries_count bigint not null,
    retries_sum bigint not null,
    fallbacks_count bigint not null,
    fallbacks_sum bigint not null,
    tool_calls_count bigint not null,
    tool_calls_sum bigint not null,
    acts_count bigint not null,
    acts_sum bigint not null,
    choices_count bigint not null,
    choices_sum bigint not null,
    time_advance_ticks_count bigint not null,
    time_advance_ticks_sum bigint not null,
    primary key (player_hash, day)
) with (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);
comment on table awf.player_days is
'Totals of each player by day (UTC), over all turns, in experiments or not: the history from before an exposure (CUPED).';
comment on column awf.player_days.player_hash is 'Player.';
comment on column awf.player_days.day is 'Day, UTC.';
comment on column awf.player_days.turns is 'Turns.';
comment on column awf.player_days.failed_turns is 'Turns that failed.';
comment on column awf.player_days.turn_latency_us_count is 'Turns that carry turnLatencyMs.';
comment on column awf.player_days.turn_latency_us_sum is 'Sum of turnLatencyMs in stored units; exact.';
comment on column awf.player_days.model_latency_us_count is 'Turns that carry modelLatencyMs.';
comment on column awf.player_days.model_latency_us_sum is 'Sum of modelLatencyMs in stored units; exact.';
comment on column awf.player_days.bundle_us_count is 'Turns that carry bundleMs.';
comment on column awf.player_days.bundle_us_sum is 'Sum of bundleMs in stored units; exact.';
comment on column awf.player_days.bundle_tokens_count is 'Turns that carry bundleTokens.';
comment on column awf.player_days.bundle_tokens_sum is 'Sum of bundleTokens in stored units; exact.';
comment on column awf.player_days.output_tokens_count is 'Turns that carry outputTokens.';
comment on column awf.player_days.output_tokens_sum is 'Sum of outputTokens in stored units; exact.';
comment on column awf.player_days.retries_count is 'Turns that carry retries.';
comment on column awf.player_days.retries_sum is 'Sum of retries in stored units; exact.';
comment on column awf.player_days.fallbacks_count is 'Turns that carry fallbacks.';
comment on column awf.player_days.fallbacks_sum is 'Sum of fallbacks in stored units; exact.';
comment on column awf.player_days.tool_calls_count is 'Turns that carry toolCalls.';
comment on column awf.player_days.tool_calls_sum is 'Sum of toolCalls in stored units; exact.';
comment on column awf.player_days.acts_count is 'Turns that carry acts.';
comment on column awf.player_days.acts_sum is 'Sum of acts in stored units; exact.';
comment on column awf.player_days.choices_count is 'Turns that carry choices.';
comment on column awf.player_days.choices_sum is 'Sum of choices in stored units; exact.';
comment on column awf.player_days.time_advance_ticks_count is 'Turns that carry timeAdvanceTicks.';
comment on column awf.player_days.time_advance_ticks_sum is 'Sum of timeAdvanceTicks in stored units; exact.';
create index player_days_day on awf.player_days using brin (day) with (pages_per_range = 32);

-- Sufficient statistics. With d the turns of a unit that carry the metric and m their sum: means of m, and the ratio of m to d.
create table awf.experiment_moments (
    variation_id integer not null,
    metric_id smallint not null references awf.metrics (id),
    units bigint not null,
    sum_d numeric not null,
    sum_m numeric not null,
    sum_dd numeric not null,
    sum_dm numeric not null,
    sum_mm numeric not null,
    primary key (variation_id, metric_id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
comment on table awf.experiment_moments is
'Sufficient statistics of each variation for the whole run, over its units (unit_totals): d is the number of a unit''s turns that carry the
metric, m the sum of the metric over them. A unit that crossed over counts in each variation that it was seen in, with the turns of that one.';
comment on column awf.experiment_moments.variation_id is 'Number in variation_ids, of an experiment and phase.';
comment on column awf.experiment_moments.metric_id is 'Metric; for 0 (failed) d counts turns and m failed turns.';
comment on column awf.experiment_moments.units is 'Units with turns.';
comment on column awf.experiment_moments.sum_d is 'Sum of d.';
comment on column awf.experiment_moments.sum_m is 'Sum of m in stored units.';
comment on column awf.experiment_moments.sum_dd is 'Sum of d squared.';
comment on column awf.experiment_moments.sum_dm is 'Sum of d m.';
comment on column awf.experiment_moments.sum_mm is 'Sum of m squared.';

create table awf.history_moments (
    variation_id integer not null,
    metric_id smallint not null references awf.metrics (id),
    units bigint not null,
    sum_xd numeric not null,
    sum_xm numeric not null,
    sum_xd_xd numeric not null,
    sum_xd_xm numeric not null,
    sum_xm_xm numeric not null,
    sum_d_xd numeric not null,
    sum_d_xm numeric not null,
    sum_m_xd numeric not null,
    sum_m_xm numeric not null,
    primary key (variation_id, metric_id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
comment on table awf.history_moments is
'The same for what players did before their first exposure, where experiments go by player: xd and xm are d and m over all turns of the
history_days whole days (UTC) before the day of the first exposure (CUPED). A unit without history has zeros and is not counted.';
comment on column awf.history_moments.variation_id is 'Number in variation_ids, of an experiment and phase.';
comment on column awf.history_moments.metric_id is 'Metric; for 0 (failed) xd counts turns and xm failed turns.';
comment on column awf.history_moments.units is 'Units with turns in their history.';
comment on column awf.history_moments.sum_xd is 'Sum of xd.';
comment on column awf.history_moments.sum_xm is 'Sum of xm in stored units.';
comment on column awf.history_moments.sum_xd_xd is 'Sum of xd squared.';
comment on column awf.history_moments.sum_xd_xm is 'Sum of xd xm.';
comment on column awf.history_moments.sum_xm_xm is 'Sum of xm squared.';
comment on column awf.history_moments.sum_d_xd is 'Sum of d xd.';
comment on column awf.history_moments.sum_d_xm is 'Sum of d xm.';
comment on column awf.history_moments.sum_m_xd is 'Sum of m xd.';
comment on column awf.history_moments.sum_m_xm is 'Sum of m xm.';

create table awf.rollup_state (
    singleton boolean primary key default true check (singleton),
    history_days integer not null
);
comment on table awf.rollup_state is 'What the rollups were made with, one row.';
comment on column awf.rollup_state.singleton is 'Always true: there is one row.';
comment on column awf.rollup_state.history_days is 'The setting history_days that history_moments holds to.';
insert into awf.rollup_state (history_days) values (28);

insert into awf.settings (name, value, type, max_value, description) values
('history_days', '28', 'number', 365, 'Days before a player''s first exposure that are his history, for experiments by player.');

alter table awf.dimension_totals enable row level security;
alter table awf.hourly_totals enable row level security;
alter table awf.histograms enable row level security;
alter table awf.unit_totals enable row level security;
alter table awf.player_days enable row level security;
alter table awf.experiment_moments enable row level security;
alter table awf.history_moments enable row level security;
alter table awf.rollup_state enable row level security;
create policy readers on awf.dimension_totals for select to current_user using (true);
create policy readers on awf.hourly_totals for select to current_user using (true);
create policy readers on awf.histograms for select to current_user using (true);
create policy readers on awf.unit_totals for select to current_user using (true);
create policy readers on awf.player_days for select to current_user using (true);
create policy readers on awf.experiment_moments for select to current_user using (true);
create policy readers on awf.history_moments for select to current_user using (true);
create policy readers on awf.rollup_state for select to current_user using (true);
