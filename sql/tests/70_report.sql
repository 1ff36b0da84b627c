-- Reports: the totals of an experiment, its units, and what the pipeline says of itself.
begin;
select plan(52);

set local client_min_messages = 'warning';
set local timezone = 'America/Los_Angeles'; -- the days of a report are UTC's
select awf.create_roles();
set local role awf_owner;
create or replace function awf._now() returns timestamptz language sql stable parallel safe
return timestamptz '2025-02-01 12:00:00+00';
reset role;

-- Nothing yet.
select is(
    awf.analytics_stats() - 'revision' - 'jobs',
    jsonb_build_object(
        'version',
        awf.version(),
        'events',
        '{"rolledUp": 0, "firstDay": null, "lastDay": null, "unknownNumbers": 0}'::jsonb,
        'lastEventAt',
        null,
        'eventsPerMinute', 0,
        'batches', '{"waiting": 0, "oldestWaiting": null, "waitingEvents": 0, "waitingBytes": 0, "rolledUp": 0, "direct": 0,
        "careful": 0, "insert": 0}'::jsonb,
        'rejected', '{"total": 0, "complete": 0, "byReason": {}}'::jsonb, 'exposures', 0, 'crossovers', 0, 'erasures', 0,
        'partitions', '{"count": 0, "first": null, "last": null}'::jsonb
    ),
    'an empty pipeline reports zeros'
);

select awf.create_experiment('r', 'R', '[{"variation": "control", "percent": 50}, {"variation": "high", "percent": 50}]');
select awf.create_variation('r', 'control');
select awf.create_variation('r', 'high');
select awf.create_experiment('other', 'Other', '[{"variation": "control", "percent": 100}]');
select awf.create_variation('other', 'control');

select is_empty($$select * from awf.experiment_report('r')$$, 'a report without data has no rows');

-- Refusals.
select throws_ok(r.statement, r.code, r.message, 'refused: ' || r.what)
from (
    values
    ($$select * from awf.experiment_report('nope')$$, 'WF101', 'there is no experiment "nope"', 'an unknown experiment'),
    ('select * from awf.experiment_report(null)', 'WF101', 'there is no experiment "NULL"', 'no experiment'),
    (
        $$select * from awf.experiment_report('r', '2025-01-16', '2025-01-15')$$, 'WF002',
        'the range begins on 2025-01-16, after its end on 2025-01-15', 'a reversed range'
    ),
    (
        $$select * from awf.experiment_report('r', '-infinity', '2025-01-15')$$, 'WF002',
        '-infinity to 2025-01-15 is no range of days', 'an infinite first day'
    ),
    (
        $$select * from awf.experiment_report('r', null, 'infinity')$$, 'WF002', 'NULL to infinity is no range of days',
        'an infinite last day'
    ),
    (
        $$select * from awf.experiment_report('r', p_by => '{world}')$$, 'WF001', 'a report cannot be grouped by {world}',
        'an unknown grouping'
    ),
    (
        $$select * from awf.experiment_report('r', p_by => '{locale,null}')$$, 'WF001',
        'a report cannot be grouped by {locale,NULL}', 'a grouping by NULL'
    ),
    ($$select * from awf.experiment_report('r', p_by => null)$$, 'WF001', 'a report cannot be grouped by NULL', 'no grouping'),
    ($$select * from awf.experiment_report('r', '2025-02-30')$$, '22008', null, 'a day that does not exist'),
    ($$select * from awf.experiment_report('r', 'soon')$$, '22007', null, 'a day that is none')
) as r (statement, code, message, what);

-- Ten turns that can be added up by hand:
--   session  first day   variation  locales
--   s1       15th        control    en-US, then de-DE on the 16th
--   s2       15th        high       en-US
--   s3       16th        high       de-DE, its turn of the 15th carries only the other experiment
--   s4       17th        control    en-US
create temporary table turns (
    ts timestamptz, session_id text, locale text, assignments jsonb, output_tokens integer, bundle_tokens integer,
    latency_ms numeric, acts integer, failed boolean
);
insert into turns values
('2025-01-15 00:00:00+00', 's1', 'en-US', '[["r", "control"]]', 100, 10, 1.5, 1, false),
('2025-01-15 12:00:00+00', 's1', 'en-US', '[["r", "control"], ["other", "control"]]', 200, 20, 2.5, 2, false),
('2025-01-15 23:59:59.999999+00', 's2', 'en-US', '[["other", "control"], ["r", "high"]]', 400, null, 3.5, null, true),
('2025-01-15 12:00:00+00', 's3', 'de-DE', '[["other", "control"]]', 1000, 1000, 1000, 10, false),
('2025-01-15 12:00:00+00', 's5', 'en-US', '[]', 2000, 2000, 2000, 20, true),
('2025-01-16 00:00:00+00', 's1', 'de-DE', '[["r", "control"]]', 300, 30, 4.25, 3, false),
('2025-01-16 10:00:00+00', 's3', 'de-DE', '[["r", "high"]]', 500, 50, null, 5, false),
('2025-01-16 11:00:00+00', 's3', 'de-DE', '[["r", "high"]]', null, null, null, null, false),
('2025-01-17 10:00:00+00', 's4', 'en-US', '[["r", "control"]]', 700, 70, 0.001, 7, true),
('2025-01-18 10:00:00+00', 's1', 'en-US', '[["other", "control"]]', 3000, 3000, 3000, 30, false);
select r.accepted
from awf.record_turns((
    select
        jsonb_agg(jsonb_build_object(
            'ts', t.ts, 'session_id', t.session_id, 'player_hash', repeat('ab', 32), 'world_ref', 'w', 'adventure_ref', 'a',
            'locale', t.locale, 'assignments', (
                select jsonb_agg(jsonb_build_object('experiment', a.value ->> 0, 'variation', a.value ->> 1))
                from jsonb_array_elements(t.assignments) as a
            ), 'metrics', jsonb_strip_nulls(jsonb_build_object(
                'outputTokens', t.output_tokens, 'bundleTokens', t.bundle_tokens, 'turnLatencyMs', t.latency_ms, 'acts', t.acts,
                'failed', t.failed
            ))
        ))
    from turns as t
)) as r;
select is_empty($$select * from awf.experiment_report('r')$$, 'a report counts what has been rolled up');
select r.batches from awf.refresh_rollups() as r;

-- The totals, as a reader sees them.
set local role awf_reader;
select results_eq(
    $$select variation_key, locale, units, turns, failed_turns, bundle_tokens, output_tokens, avg_turn_latency_ms,
    avg_bundle_tokens, avg_output_tokens, avg_acts, avg_model_latency_ms, avg_retries from awf.experiment_report('r')$$,
    $$values
    ('control', 'de-DE', 0::bigint, 1::bigint, 0::bigint, 30::numeric, 300::numeric, 4.250, 30.000, 300.000, 3.0000,
        null::numeric, null::numeric),
    ('control', 'en-US', 2, 3, 1, 100, 1000, 1.334, 33.333, 333.333, 3.3333, null, null),
    ('high', 'de-DE', 1, 2, 0, 50, 500, null, 50.000, 500.000, 5.0000, null, null),
    ('high', 'en-US', 1, 1, 1, 0, 400, 3.500, null, 400.000, null, null, null)$$,
    'a row for each variation and locale: units first exposed, turns, sums, and averages over the turns that carry the metric'
);
select results_eq(
    $$select variation_key, locale, units, turns, failed_turns, output_tokens, avg_output_tokens
    from awf.experiment_report('r', p_by => '{variation}')$$,
    $$values ('control', null::text, 2::bigint, 4::bigint, 1::bigint, 1300::numeric, 325.000),
    ('high', null, 2, 3, 1, 900, 450.000)$$,
    'by variation alone, averages are over all its turns, not over the locales'
);
select results_eq(
    $$select variation_key, locale, units, turns, output_tokens from awf.experiment_report('r', p_by => '{locale}')$$,
    $$values (null::text, 'de-DE', 1::bigint, 3::bigint, 800::numeric), (null, 'en-US', 3, 4, 1400)$$, 'by locale alone'
);
select results_eq(
    $$select variation_key, locale, units, turns, failed_turns, output_tokens, bundle_tokens
    from awf.experiment_report('r', p_by => '{}')$$,
    $$values (null::text, null::text, 4::bigint, 7::bigint, 2::bigint, 2200::numeric, 180::numeric)$$, 'in one row'
);
select results_eq(
    $$select variation_key, locale, turns from awf.experiment_report('r', p_by => '{locale,variation,locale}')$$,
    $$select variation_key, locale, turns from awf.experiment_report('r')$$, 'the order of p_by does not matter'
);
select results_eq(
    $$select variation_key, units, turns, output_tokens from awf.experiment_report('other', p_by => '{variation}')$$,
    $$values ('control', 3::bigint, 4::bigint, 4600::numeric)$$, 'a turn with two experiments counts in both'
);

-- Ranges of days.
select
    results_eq(
        format(
            $$select variation_key, units, turns, output_tokens from awf.experiment_report('r', %L, %L, '{variation}')$$,
            d.first_day,
            d.last_day
        ),
        d.expected, 'range of days: ' || d.what
    )
from (
    values
    (
        '2025-01-15', '2025-01-15',
        $$values ('control', 1::bigint, 2::bigint, 300::numeric), ('high', 1, 1, 400)$$,
        'both ends are included, to the last microsecond, and no more'
    ),
    (
        '2025-01-16', '2025-01-16',
        $$values ('control', 0::bigint, 1::bigint, 300::numeric), ('high', 1, 2, 500)$$,
        'a unit counts in the range of its first exposure alone'
    ),
    (
        '2025-01-16', null,
        $$values ('control', 1::bigint, 2::bigint, 1000::numeric), ('high', 1, 2, 500)$$, 'without an end'
    ),
    (
        null, '2025-01-15',
        $$values ('control', 1::bigint, 2::bigint, 300::numeric), ('high', 1, 1, 400)$$, 'without a beginning'
    ),
    (
        '2000-01-01', '2099-12-31',
        $$values ('control', 2::bigint, 4::bigint, 1300::numeric), ('high', 2, 3, 900)$$, 'all of it'
    )
) as d (first_day, last_day, expected, what);
select is_empty(
    $$select * from awf.experiment_report('r', '2025-01-18', '2025-01-31')$$, 'a range without data has no rows and is no error'
);
select is_empty($$select * from awf.experiment_report('awf-default-test')$$, 'an experiment that never ran has no rows');
reset role;

-- The averages of all eleven metrics stand in their columns.
select awf.create_experiment('all', 'All', '[{"variation": "v", "percent": 100}]');
select awf.create_variation('all', 'v');
select awf.record_turn(
    '{"ts": "2025-01-15T10:00:00Z", "session_id": "s1", "world_ref": "w", "adventure_ref": "a", "experiment_key": "all",
    "variation_key": "v", "player_hash": "abababababababababababababababababababababababababababababababab",
    "metrics": {"turnLatencyMs": 1.001, "modelLatencyMs": 2.002, "bundleMs": 3.003, "bundleTokens": 4, "outputTokens": 5,
    "retries": 6, "fallbacks": 7, "toolCalls": 8, "acts": 9, "choices": 10, "timeAdvanceTicks": 11}}'
);
select r.batches from awf.refresh_rollups() as r;
select results_eq(
    $$select * from awf.experiment_report('all')$$,
    $$values ('v', 'en-US', 1::bigint, 1::bigint, 0::bigint, 4::numeric, 5::numeric, 1.001, 2.002, 3.003, 4.000, 5.000, 6.0000,
    7.0000, 8.0000, 9.0000, 10.0000, 11.0000, null::integer, null::numeric,
    '{"turnLatencyMs": {"p50": 1.00241, "p90": 1.00241, "p95": 1.00241, "p99": 1.00241},
    "modelLatencyMs": {"p50": 2.018802, "p90": 2.018802, "p95": 2.018802, "p99": 2.018802},
    "bundleMs": {"p50": 3.011211, "p90": 3.011211, "p95": 3.011211, "p99": 3.011211},
    "bundleTokens": {"p50": 4.000, "p90": 4.000, "p95": 4.000, "p99": 4.000},
    "outputTokens": {"p50": 5.000, "p90": 5.000, "p95": 5.000, "p99": 5.000}}'::jsonb)$$,
    'every metric has its own column, and those with histograms their quantiles'
);
select is(
    (select pg_get_function_result('awf.experiment_report(text, date, date, text[], text)'::regprocedure)),
    'TABLE(variation_key text, locale text, units bigint, turns bigint, failed_turns bigint, bundle_tokens numeric, '
    || 'output_tokens numeric, avg_turn_latency_ms numeric, avg_model_latency_ms numeric, avg_bundle_ms numeric, '
    || 'avg_bundle_tokens numeric, avg_output_tokens numeric, avg_retries numeric, avg_fallbacks numeric, '
    || 'avg_tool_calls numeric, avg_acts numeric, avg_choices numeric, avg_time_advance_ticks numeric, phase integer, '
    || 'expected_percent numeric, quantiles jsonb)',
    'the columns of the report are the documented ones'
);

-- Two phases: from noon of the 16th on, units are split anew, 20 to 80.
--   session  phase 1            phase 2
--   t1       control, 15th, en  control, 17th, de
--   t2       control, 15th, de  high, 16th, de
--   t3       high, 16th, en
--   t4                          high, 17th, en
--   t5                          high, 17th, de; and a turn in control, which its first one outweighs
select awf.create_experiment('two', 'Two', '[{"variation": "control", "percent": 50}, {"variation": "high", "percent": 50}]');
select awf.create_variation('two', 'control');
select awf.create_variation('two', 'high');
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
    pg_temp.clock('2025-01-15 00:00+00'),
    awf.start_experiment('two');
select
    pg_temp.clock('2025-01-16 06:00+00'),
    awf.stop_experiment('two');
select
    pg_temp.clock('2025-01-16 08:00+00'),
    awf.start_experiment('two');
select
    pg_temp.clock('2025-01-16 12:00+00'),
    awf.open_phase('two', '{"allocations": [{"variation": "control", "percent": 20}, {"variation": "high", "percent": 80}]}');
select
    pg_temp.clock('2025-01-20 00:00+00'),
    awf.open_phase('two', '{"allocations": [{"variation": "high", "percent": 100}]}');
select pg_temp.clock('2025-02-01 12:00+00');
select r.accepted
from awf.record_turns((
    select
        jsonb_agg(jsonb_build_object(
            'ts', t.ts, 'session_id', t.session_id, 'player_hash', repeat('ab', 32), 'world_ref', 'w', 'adventure_ref', 'a',
            'locale', t.locale, 'experiment_key', 'two', 'variation_key', t.variation,
            'metrics', '{"outputTokens": 10}'::jsonb
        ))
    from (
        values
        ('t1', '2025-01-15T10:00:00Z', 'control', 'en-US'), ('t1', '2025-01-15T11:00:00Z', 'control', 'de-DE'),
        ('t1', '2025-01-17T10:00:00Z', 'control', 'de-DE'), ('t2', '2025-01-15T12:00:00Z', 'control', 'de-DE'),
        ('t2', '2025-01-16T12:00:00Z', 'high', 'de-DE'), ('t3', '2025-01-16T11:59:59Z', 'high', 'en-US'),
        ('t4', '2025-01-17T10:00:00Z', 'high', 'en-US'), ('t5', '2025-01-17T10:00:00Z', 'high', 'de-DE'),
        ('t5', '2025-01-17T11:00:00Z', 'control', 'de-DE')
    ) as t (session_id, ts, variation, locale)
)) as r;
select r.batches from awf.refresh_rollups() as r;
set local role awf_reader;
select
    results_eq(
        format(
            $$select variation_key, locale, phase, units, turns, expected_percent from awf.experiment_report('two', %L, %L, %L)$$,
            p.first_day, p.last_day, p.grouping
        ),
        p.expected, 'phases, as a reader sees them: ' || p.what
    )
from (
    values
    (
        null, null, '{variation,phase}',
        $$values ('control', null::text, 1, 2::bigint, 3::bigint, 50::numeric), ('high', null, 1, 1, 1, 50),
        ('control', null, 2, 1, 2, 20), ('high', null, 2, 3, 3, 80)$$,
        'by variation and phase, a unit counts once in each phase, beside the split that the phase meant'
    ),
    (
        null, null, '{phase}',
        $$values (null::text, null::text, 1, 3::bigint, 4::bigint, null::numeric), (null, null, 2, 4, 5, null)$$,
        'by phase alone there is no split'
    ),
    (
        null, null, '{variation}',
        $$values ('control', null::text, null::integer, 2::bigint, 5::bigint, null::numeric), ('high', null, null, 4, 4, null)$$,
        'by variation, a unit that was in both counts in each, and once in the one it was in twice'
    ),
    (
        null, null, '{}', $$values (null::text, null::text, null::integer, 5::bigint, 9::bigint, null::numeric)$$,
        'in one row, every unit counts once'
    ),
    (
        null, null, '{locale}',
        $$values (null::text, 'de-DE', null::integer, 2::bigint, 6::bigint, null::numeric), (null, 'en-US', null, 3, 3, null)$$,
        'by locale, a unit counts where it was seen first'
    ),
    (
        null, null, '{phase,variation,locale}',
        $$values ('control', 'de-DE', 1, 1::bigint, 2::bigint, 50::numeric), ('control', 'en-US', 1, 1, 1, 50),
        ('high', 'en-US', 1, 1, 1, 50), ('control', 'de-DE', 2, 1, 2, 20), ('high', 'de-DE', 2, 2, 2, 80),
        ('high', 'en-US', 2, 1, 1, 80)$$,
        'by all three, in the order of phase, variation, locale'
    ),
    (
        '2025-01-16', null, '{variation}',
        $$values ('control', null::text, null::integer, 0::bigint, 2::bigint, null::numeric), ('high', null, null, 4, 4, null)$$,
        'in a range that begins later, a unit does not count again'
    ),
    (
        '2025-01-17', null, '{variation,phase}',
        $$values ('control', null::text, 2, 1::bigint, 2::bigint, 20::numeric), ('high', null, 2, 2, 2, 80)$$,
        'and by phase it does, if its phase saw it there first'
    )
) as p (first_day, last_day, grouping, expected, what);
select throws_ok('select unit_id from awf.exposures', '42501', null, 'and that without the units themselves');
reset role;
select is(awf._expected_percent(e.id, 3, 'control'), 0::numeric, 'a variation that a phase leaves out is meant for nobody')
from awf.experiments as e
where e.key = 'two';
select results_eq(
    $$select phase, expected_percent from awf.experiment_report('r', p_by => '{variation,phase}')$$,
    $$values (1, null::numeric), (1, null)$$, 'an experiment that never started has one phase and no split'
);

-- analytics_stats().
select awf.record_turn(
    '{"ts": "2025-01-19T10:00:00Z", "session_id": "s1", "world_ref": "w", "adventure_ref": "a",
    "player_hash": "abababababababababababababababababababababababababababababababab"}'
);
select b.batch_id from awf.open_batch('2025-01-20', 0) as b;
select r.rejected from awf.record_turns('[{"session_id": "s"}, {"locale": "!", "session_id": "s"}, {"nope": 1}]') as r;
set local role awf_reader;
select is(
    awf.analytics_stats() #- '{batches,oldestWaiting}' #- '{lastEventAt}' #- '{revision}' #- '{jobs}',
    jsonb_build_object(
        'version',
        awf.version(),
        'events',
        '{"rolledUp": 20, "firstDay": "2025-01-15", "lastDay": "2025-01-18", "unknownNumbers": 0}'::jsonb,
        'eventsPerMinute', 0,
        'batches', '{"waiting": 2, "waitingEvents": 1, "waitingBytes": 0, "rolledUp": 9, "direct": 1, "careful": 8,
        "insert": 2}'::jsonb,
        'rejected', '{"total": 3, "complete": 0, "byReason": {"missing_player": 2, "unknown_field": 1}}'::jsonb,
        'exposures', 15, 'crossovers', 1, 'erasures', 0,
        'partitions', '{"count": 6, "first": "turn_events_20250115", "last": "turn_events_20250120"}'::jsonb
    ),
    'analytics_stats() counts events, batches, rejected events, exposures and partitions, for a reader too'
);
select is(
    (awf.analytics_stats() ->> 'lastEventAt')::timestamptz, timestamptz '2025-01-19 10:00:00+00',
    'the newest event is found behind empty partitions, rolled up or not'
);
select is((awf.analytics_stats() #>> '{batches,oldestWaiting}')::timestamptz, now(), 'the oldest waiting batch has its time');
select is(
    awf.analytics_stats() -> 'revision', (select to_jsonb(c.revision) from awf.config_state as c),
    'the revision is that of the configuration'
);
reset role;
update awf.ingest_log as l set opened_at = timestamptz '2025-02-01 11:59:59.999+00'
where l.path = 'insert' and l.rolled_up_at is null;
select f.events from awf.forget_player(repeat('ef', 32)) as f;
insert into awf.ingest_log (day, path, rows, bytes, role_name, opened_at, rolled_up_at) values
('2025-01-20', 'direct', 30, 3000, 'x', '2025-02-01 11:57:30+00', null),
('2025-01-20', 'careful', 10, 1000, 'x', '2025-02-01 11:55:00+00', '2025-02-01 11:56:00+00'),
('2025-01-20', 'direct', 1000, 1, 'x', '2025-02-01 12:00:00+00', null),
('2025-01-20', 'direct', 1000, null, 'x', '2025-02-01 11:54:59.999+00', null);
insert into awf.crossovers (experiment_id, unit_id, phase, variation_id, first_ts, event_id, player_hash)
select
    1,
    c.unit,
    1,
    c.variation,
    now(),
    gen_random_uuid(),
    sha256('p')
from (values ('u1', 1), ('u1', 2), ('u1', 3), ('u2', 1), ('u2', 2)) as c (unit, variation);
select awf.reject_event('too_late', 'd', jsonb_build_object('id', gen_random_uuid(), 'player_hash', repeat('ab', 32)), true);
set local role awf_reader;
create temporary view stats as
select awf.analytics_stats() as stats; -- noqa: RF02
select is(
    s.stats -> 'eventsPerMinute', '8.2', 'events a minute: of the last five whole minutes, single events counted one by one'
) from stats as s;
select is(
    s.stats -> 'batches' ->> 'waitingEvents' || ' ' || (s.stats -> 'batches' ->> 'waitingBytes'), '2030 3001',
    'what waits is told in events and, where it is known, in bytes'
) from stats as s;
select is(s.stats -> 'crossovers', '3', 'crossovers are units, not variations') from stats as s;
select is(s.stats -> 'erasures', '1', 'erasures are counted') from stats as s;
select is(s.stats -> 'rejected' -> 'complete', '1', 'and so are the rejected events that can be tried again') from stats as s;
select is(
    (select count(*) from (select c.variation_id from awf.crossovers as c) as c), 7::bigint, 'a reader counts crossovers'
);
select throws_ok('select unit_id from awf.crossovers', '42501', null, 'but does not see who that was');
select throws_ok('select digest from awf.erasures', '42501', null, 'nor the digests of the erasures');
reset role;

-- Numbers that a direct COPY has brought, and that are none.
update awf.daily_totals set world_id = locale_id
where day = '2025-01-18';
update awf.daily_totals set locale_id = locale_id + 900000
where day = '2025-01-17' and variation_id = 0;
select is(
    (awf.analytics_stats() #> '{events,unknownNumbers}')::bigint,
    (
        select sum(n[1])::bigint from awf.daily_totals
        where variation_id = 0 and day between '2025-01-17' and '2025-01-18'
    ),
    'analytics_stats() counts the events whose world or locale is none'
);

select finish();
rollback;
