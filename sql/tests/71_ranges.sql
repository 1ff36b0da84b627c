-- Reports by range, time zone and grouping: whatever is asked for equals what the events say.
begin;
select plan(77);

set local client_min_messages = 'warning';
set local timezone = 'America/Los_Angeles'; -- the days of a report are UTC's, or those of the zone asked for
select awf.create_roles();
set local role awf_owner;
create or replace function awf._now() returns timestamptz language sql stable parallel safe
return timestamptz '2024-04-05 12:00:00+00';
reset role;

select is_empty('select * from awf.activity_report()', 'without events there is no activity');

-- 60 turns a day from 20 January on to 3 April 2024, some of them at midnight, none on 10 February. Two phases of one experiment.
select awf.create_experiment('r', 'R', '[{"variation": "a", "percent": 50}, {"variation": "b", "percent": 50}]');
select awf.create_variation('r', 'a');
select awf.create_variation('r', 'b');
create function pg_temp.clock(p_now text)
returns void
language plpgsql
as $$
begin
    execute format(
        'create or replace function awf._now() returns timestamptz language sql stable parallel safe return timestamptz %L', p_now
    );
end;
$$;
select
    pg_temp.clock('2024-01-20 00:00+00'),
    awf.start_experiment('r');
select
    pg_temp.clock('2024-02-20 12:00+00'),
    awf.open_phase('r', '{"allocations": [{"variation": "a", "percent": 20}, {"variation": "b", "percent": 80}]}');
select pg_temp.clock('2024-04-05 12:00+00');
select sum(t.accepted)
from (
    select
        jsonb_agg(jsonb_build_object(
            'ts', timestamptz '2024-01-20 00:00+00' + i * interval '24 minutes', 'session_id', 's' || i / 7 % 400,
            'player_hash',
            repeat('ab', 32),
            'world_ref',
            'w' || i % 3,
            'adventure_ref',
            'a' || i % 4,
            'locale',
            (array['en', 'de'])[1 + i / 5 % 2],
            'model', (array['m1', 'm2', null])[1 + i % 3],
            'assignments',
            case
                when
                    i % 10 > 1
                    then jsonb_build_array(jsonb_build_object('experiment', 'r', 'variation', (array['a', 'b'])[1 + i / 7 % 2]))
                else '[]'
            end,
            'metrics', jsonb_strip_nulls(jsonb_build_object(
                'turnLatencyMs',
                100 + i * 7919 % 100003 / 10.0,
                'outputTokens',
                nullif(i * 31 % 997, 5),
                'bundleTokens',
                1000 + i % 4000,
                'retries', i % 3, 'failed', i % 50 = 0
            ))
        )) as events
    from generate_series(0, 74 * 60) as i
    where ((timestamptz '2024-01-20 00:00+00' + i * interval '24 minutes') at time zone 'UTC')::date <> '2024-02-10'
    group by i / 500
) as g
cross join lateral awf.record_turns(g.events) as t;
select sum(r.batches) from awf.refresh_rollups() as r;
select is((select count(*) from awf.turn_events), 4381::bigint, 'there are events to report');
create temporary table events as
select
    e.*, -- noqa: AM04
    v.variation_key,
    v.phase,
    l.value as locale,
    w.value as world_ref,
    a.value as adventure_ref,
    m.value as model
from awf.turn_events as e
inner join awf.dimensions as l on e.locale_id = l.id
inner join awf.dimensions as w on e.world_id = w.id
inner join awf.dimensions as a on e.adventure_id = a.id
left join awf.dimensions as m on e.model_id = m.id
left join awf.variation_ids as v on e.assignments[1] = v.id;
grant select on events to awf_reader;

-- The experiment: every figure that differs from what the events say.
create function pg_temp.wrong_in_report(p_from date, p_to date, p_by text[], p_zone text)
returns setof text
language sql
as $$
    with chosen as (
        select
            case when 'variation' = any (p_by) then e.variation_key end as variation_key,
            case when 'locale' = any (p_by) then e.locale end as locale,
            case when 'phase' = any (p_by) then e.phase end as phase,
            e.turn_latency_us, e.output_tokens, e.failed, e.retries
        from events as e
        where e.variation_key is not null
            and (e.ts at time zone p_zone)::date between coalesce(p_from, '-infinity') and coalesce(p_to, 'infinity')
    ),

    expected as (
        select c.variation_key, c.locale, c.phase, jsonb_build_object(
            'turns', count(*), 'failed', count(*) filter (where c.failed), 'tokens', coalesce(sum(c.output_tokens), 0),
            'latency', round(avg(c.turn_latency_us) / 1000, 3), 'retries', round(avg(c.retries), 4)
        ) as figures
        from chosen as c
        group by 1, 2, 3
    ),

    told as (
        select r.variation_key, r.locale, r.phase, jsonb_build_object(
            'turns', r.turns, 'failed', r.failed_turns, 'tokens', r.output_tokens, 'latency', r.avg_turn_latency_ms, 'retries', r.avg_retries
        ) as figures
        from awf.experiment_report('r', p_from, p_to, p_by, p_zone) as r
    )

    (select format('missing: %s', x) from (table expected except table told) as x)
    union all
    (select format('wrong: %s', x) from (table told except table expected) as x)
$$;
create function pg_temp.wrong_quantiles(p_from date, p_to date, p_by text[])
returns setof text
language sql
as $$
    with chosen as (
        select
            case when 'variation' = any (p_by) then e.variation_key end as variation_key,
            case when 'locale' = any (p_by) then e.locale end as locale,
            case when 'phase' = any (p_by) then e.phase end as phase,
            m.metric, m.value
        from events as e
        cross join lateral (values
            ('turnLatencyMs', e.turn_latency_us / 1000.0), ('outputTokens', e.output_tokens), ('bundleTokens', e.bundle_tokens)
        ) as m (metric, value)
        where e.variation_key is not null and m.value is not null
            and (e.ts at time zone 'UTC')::date between coalesce(p_from, '-infinity') and coalesce(p_to, 'infinity')
    ),

    exact as (
        select
            c.variation_key, c.locale, c.phase, c.metric, q.name,
            (array_agg(c.value order by c.value))[1 + floor(q.quantile * (count(*) - 1))::integer] as value
        from chosen as c
        cross join (values ('p50', 0.5), ('p90', 0.9), ('p95', 0.95), ('p99', 0.99)) as q (name, quantile)
        group by 1, 2, 3, 4, 5, q.quantile
    )

    select format('%s: %s', x, r.quantiles)
    from exact as x
    left join awf.experiment_report('r', p_from, p_to, p_by) as r
        on (x.variation_key, x.locale, x.phase) is not distinct from (r.variation_key, r.locale, r.phase)
    where abs((r.quantiles -> x.metric ->> x.name)::numeric - x.value) <= 0.01 * x.value + 0.0005 is not true
$$;
create function pg_temp.wrong_units(p_from date, p_to date, p_zone text)
returns setof text
language sql
as $$
    with firsts as (
        select distinct on (e.session_id, e.phase) e.variation_key, e.phase, e.locale, e.ts
        from events as e
        where e.variation_key is not null
        order by e.session_id, e.phase, e.ts, e.id
    ),

    expected as (
        select f.variation_key, f.phase, f.locale, count(*) as units
        from firsts as f
        where (f.ts at time zone p_zone)::date between coalesce(p_from, '-infinity') and coalesce(p_to, 'infinity')
        group by 1, 2, 3
    ),

    told as (
        select r.variation_key, r.phase, r.locale, r.units
        from awf.experiment_report('r', p_from, p_to, '{variation,phase,locale}', p_zone) as r
        where r.units > 0
    )

    (select format('missing: %s', x) from (table expected except table told) as x)
    union all
    (select format('wrong: %s', x) from (table told except table expected) as x)
$$;
set local role awf_reader;
select
    unnest(array[
        is_empty(
            format('select pg_temp.wrong_in_report(%L, %L, %L, %L)', r.from_day, r.to_day, r.grouping, 'UTC'),
            format('%s to %s by %s: totals', r.from_day, r.to_day, r.grouping)
        ),
        is_empty(
            format('select pg_temp.wrong_quantiles(%L, %L, %L)', r.from_day, r.to_day, r.grouping),
            format('%s to %s by %s: quantiles', r.from_day, r.to_day, r.grouping)
        )
    ])
from (
    values
    (null, null, '{variation,locale}'), (null, null, '{}'), ('2024-01-20', '2024-01-20', '{variation}'),
    ('2024-02-29', '2024-02-29', '{variation,phase}'), ('2024-02-01', '2024-02-29', '{locale}'),
    ('2024-01-25', '2024-03-10', '{variation,locale}'),
    ('2024-02-02', '2024-03-30', '{phase}'),
    ('2024-02-15', null, '{variation}'),
    (null, '2024-03-31', '{variation}')
) as r (from_day, to_day, grouping);
select
    unnest(array[
        is_empty(
            format('select pg_temp.wrong_in_report(%L, %L, %L, %L)', z.from_day, z.to_day, '{variation,locale}', z.zone),
            format('%s to %s in %s: totals', z.from_day, z.to_day, z.zone)
        ),
        is_empty(
            format('select pg_temp.wrong_units(%L, %L, %L)', z.from_day, z.to_day, z.zone),
            format('%s to %s in %s: units', z.from_day, z.to_day, z.zone)
        )
    ])
from (
    values
    (null, null, 'UTC'), ('2024-01-28', '2024-02-27', 'UTC'), (null, null, 'Asia/Kolkata'),
    ('2024-03-31', '2024-03-31', 'Europe/Berlin'), -- 23 hours
    ('2024-03-23', '2024-03-23', 'America/Asuncion'), -- 25 hours
    ('2024-02-28', '2024-03-12', 'America/New_York'), ('2024-01-21', null, 'Pacific/Auckland')
) as z (from_day, to_day, zone);
select is(
    (select sum(r.turns) from awf.activity_report('1900-01-01', '9999-12-31', p_zone => 'Etc/GMT+5') as r), 4381::numeric,
    'a range may be longer than the data'
);
select is_empty(
    $$select * from awf.experiment_report('r', '2024-02-10', '2024-02-10')$$, 'a day without events has no rows'
);
select is(
    (
        select array_agg(distinct r.quantiles is null)
        from awf.experiment_report('r', '2024-03-01', '2024-03-02', p_zone => 'Europe/Berlin') as r
    ),
    '{t}', 'quantiles are kept by days in UTC'
);

-- Activity.
create function pg_temp.wrong_activity(p_by text[], p_zone text)
returns setof text
language sql
as $$
    with chosen as (
        select
            case
                when 'day' = any (p_by) then (e.ts at time zone p_zone)::date
                when 'week' = any (p_by) then date_trunc('week', e.ts at time zone p_zone)::date
                when 'month' = any (p_by) then date_trunc('month', e.ts at time zone p_zone)::date
            end as day,
            case when 'locale' = any (p_by) then e.locale end as locale,
            case when 'world' = any (p_by) then e.world_ref end as world_ref,
            case when 'adventure' = any (p_by) then e.adventure_ref end as adventure_ref,
            case when 'model' = any (p_by) then e.model end as model,
            e.output_tokens, e.turn_latency_us
        from events as e
    ),

    expected as (
        select c.day, c.locale, c.world_ref, c.adventure_ref, c.model, count(*) as turns, sum(c.output_tokens)::numeric, round(avg(c.turn_latency_us) / 1000, 3)
        from chosen as c
        group by 1, 2, 3, 4, 5
    ),

    told as (
        select r.day, r.locale, r.world_ref, r.adventure_ref, r.model, r.turns, r.output_tokens, r.avg_turn_latency_ms
        from awf.activity_report(p_by => p_by, p_zone => p_zone) as r
    )

    (select format('missing: %s', x) from (table expected except table told) as x)
    union all
    (select format('wrong: %s', x) from (table told except table expected) as x)
$$;
select
    is_empty(
        format('select pg_temp.wrong_activity(%L, %L)', a.grouping, a.zone), format('activity by %s in %s', a.grouping, a.zone)
    )
from (
    values
    ('{day}', 'UTC'), ('{week,locale}', 'UTC'), ('{month,world}', 'UTC'), ('{locale,world}', 'UTC'), ('{day,adventure}', 'UTC'),
    ('{model}', 'UTC'),
    ('{}', 'UTC'),
    ('{day}', 'Europe/Berlin'),
    ('{week,locale}', 'America/Asuncion'),
    ('{month}', 'Pacific/Auckland')
) as a (grouping, zone);
select is(
    (
        select array_agg(r.quantiles -> 'outputTokens' ? 'p99')
        from awf.activity_report('2024-02-28', '2024-03-01', '{day,locale}') as r
    ),
    '{t,t,t,t,t,t}', 'activity has quantiles by day and locale, on a leap day too'
);
select is(
    (select array_agg(distinct r.quantiles is null) from awf.activity_report(p_by => '{world}') as r), '{t}', 'and none by world'
);
select results_eq(
    $$select * from awf.activity_report(p_by => '{month,locale,month}')$$,
    $$select * from awf.activity_report(p_by => '{month,locale}')$$, 'what is named twice counts once'
);
select throws_ok(r.statement, r.code, r.message, 'refused: ' || r.message)
from (
    values
    ($$select * from awf.activity_report(p_by => '{hour}')$$, 'WF001', 'a report cannot be grouped by {hour}'),
    ($$select * from awf.activity_report(p_by => null)$$, 'WF001', 'a report cannot be grouped by NULL'),
    ($$select * from awf.activity_report(p_by => '{day,week}')$$, 'WF001', 'activity is not known by day and week together'),
    (
        $$select * from awf.activity_report(p_by => '{locale,model}')$$,
        'WF001',
        'activity is not known by locale and model together'
    ),
    (
        $$select * from awf.activity_report(p_by => '{adventure,model}')$$,
        'WF001',
        'activity is not known by adventure and model together'
    ),
    (
        $$select * from awf.activity_report(p_by => '{world}', p_zone => 'Europe/Berlin')$$, 'WF001',
        'activity by world is known for days in UTC alone, not in "Europe/Berlin"'
    ),
    (
        $$select * from awf.activity_report('2024-03-02', '2024-03-01')$$,
        'WF002',
        'the range begins on 2024-03-02, after its end on 2024-03-01'
    ),
    ($$select * from awf.activity_report(p_zone => 'Nowhere')$$, 'WF001', 'there is no time zone "Nowhere"'),
    ($$select * from awf.activity_report(p_zone => '+02')$$, 'WF001', 'there is no time zone "+02"'),
    ($$select * from awf.activity_report(p_zone => null)$$, 'WF001', 'there is no time zone "NULL"'),
    ($$select * from awf.activity_report(p_zone => 'Europe/Nowhere')$$, 'WF001', 'there is no time zone "Europe/Nowhere"'),
    (
        $$select * from awf.activity_report('2024-03-01', p_zone => 'Asia/Kolkata')$$, 'WF001',
        'in "Asia/Kolkata" the day 2024-03-01 does not begin on the hour of UTC'
    ),
    (
        $$select * from awf.activity_report(p_zone => 'Asia/Kolkata')$$, 'WF001',
        'in "Asia/Kolkata" the day 2024-01-20 does not begin on the hour of UTC'
    ),
    (
        $$select * from awf.activity_report('0001-01-01', '9999-12-31', p_zone => 'Australia/Adelaide')$$, 'WF001',
        'in "Australia/Adelaide" the day 0001-01-01 does not begin on the hour of UTC'
    ),
    (
        $$select * from awf.experiment_report('r', null, '2024-03-01', p_zone => 'Asia/Kolkata')$$, 'WF001',
        'in "Asia/Kolkata" the day 2024-03-02 does not begin on the hour of UTC'
    )
) as r (statement, code, message);
reset role;

-- Days that do not begin at the midnight that PostgreSQL means: clocks that go back to midnight, or to before it, or over it.
select
    is_empty(
        format(
            $$select d.day from generate_series(%L::timestamp, %L, '1 day') as d (day)
            where awf._day_begins(d.day::date, %L) <> (
                select min(h.hour) from generate_series((d.day - '2 days'::interval) at time zone 'UTC', (d.day + '2 days') at time zone 'UTC', '1 hour') as h (hour)
                where (h.hour at time zone %L)::date = d.day::date
            )$$, z.from_day, z.to_day, z.zone, z.zone
        ),
        format('every day in %s begins with its first hour', z.zone)
    )
from (
    values
    ('2025-01-01', '2026-01-01', 'America/Havana'), ('2025-01-01', '2026-01-01', 'Atlantic/Azores'),
    ('2025-01-01', '2026-01-01', 'America/New_York'), ('2025-01-01', '2026-01-01', 'Africa/Cairo'),
    ('2017-01-01', '2018-12-31', 'America/Sao_Paulo')
) as z (from_day, to_day, zone);
select results_eq(
    $$select awf._day_begins(null, 'UTC'), awf._day_begins('-infinity', 'UTC'), awf._day_begins('infinity', 'UTC')$$,
    $$values (null::timestamptz, timestamptz '-infinity', timestamptz 'infinity')$$, 'a bound that is none stays none'
);
select pg_temp.clock('2025-12-01 12:00+00');
select r.accepted
from awf.record_turns(
    (
        select
            jsonb_agg(jsonb_build_object(
                'ts',
                e.ts,
                'session_id',
                'havana' || e.ts,
                'player_hash',
                repeat('ab', 32),
                'world_ref',
                'w',
                'adventure_ref',
                'a',
                'experiment_key', 'r', 'variation_key', 'a'
            ))
        from (values ('2025-11-02T03:59:59Z'), ('2025-11-02T04:30:00Z'), ('2025-11-02T05:30:00Z')) as e (ts)
    )
) as r;
select r.batches from awf.refresh_rollups() as r;
select
    results_eq(
        format($$select turns from awf.activity_report(%1$L, %1$L, '{day}', 'America/Havana') where day = %1$L$$, d.day),
        array[d.turns]::bigint[], format('turns of %s in Havana', d.day)
    )
from (values ('2025-11-01', 1), ('2025-11-02', 2)) as d (day, turns);
select
    results_eq(
        format($$select units, turns from awf.experiment_report('r', %1$L, %1$L, '{}', 'America/Havana')$$, d.day),
        format('values (%1$s::bigint, %1$s::bigint)', d.turns), format('units and turns of %s in Havana', d.day)
    )
from (values ('2025-11-01', 1), ('2025-11-02', 2)) as d (day, turns);

select is_empty(
    $$select v from generate_series(1, 200000) as v cross join (values (1), (1000)) as s (scale)
    where abs(awf._quantile_of(awf._bucket_of(v), s.scale) * s.scale - v) > 0.01 * v$$,
    'a quantile is within 1 % of every value that it stands for, in public units'
);

-- Locales whose names are gone.
create temporary table units_before as
select
    r.locale,
    r.units
from awf.experiment_report('r', p_by => '{locale}') as r;
delete from awf.dimensions
where kind = 'locale' and value in ('en', 'de');
select bag_eq(
    $$select units from awf.experiment_report('r', p_by => '{locale}')$$, 'select units from units_before',
    'each has its own units'
);

select finish();
rollback;
