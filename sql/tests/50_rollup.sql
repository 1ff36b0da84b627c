-- Rollups: what the refresh adds, held against a direct aggregate over the events, and what a recompute may and may not do.
begin;
select plan(110);

set local timezone = 'Pacific/Kiritimati'; -- UTC+14: the local day is never the day of the event
set local client_min_messages = 'warning';
set local role awf_owner;
create or replace function awf._now() returns timestamptz language sql stable parallel safe
return timestamptz '2025-02-01 12:00:00+00';
reset role;
select awf.create_experiment('e', 'E', '[{"variation": "a", "percent": 50}, {"variation": "b", "percent": 50}]');
select awf.create_variation('e', 'a');
select awf.create_variation('e', 'b');
select awf.create_experiment('p', 'P', '[{"variation": "x", "percent": 50}, {"variation": "y", "percent": 50}]', 'player');
select awf.create_variation('p', 'x');
select awf.create_variation('p', 'y');
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
-- The second one has another phase from the noon of the second day on.
select
    pg_temp.clock('2025-01-01 00:00+00'),
    awf.start_experiment('p');
select
    pg_temp.clock('2025-01-15 12:00+00'),
    awf.open_phase('p');
select pg_temp.clock('2025-02-01 12:00+00');

-- 600 events of three days, two worlds, three locales: with no, one, the other and both experiments, and with gaps in every
-- metric. Arithmetic instead of chance, so that every run sees the same.
create function pg_temp.of_e(p_i integer)
returns jsonb
language sql
as $$select jsonb_build_object('experiment', 'e', 'variation', case p_i * 7 % 61 % 2 when 0 then 'a' else 'b' end)$$;
create function pg_temp.of_p(p_i integer)
returns jsonb
language sql
as $$select jsonb_build_object('experiment', 'p', 'variation', case p_i * 7 % 61 % 25 % 2 when 0 then 'x' else 'y' end)$$;
create function pg_temp.turns(p_from integer, p_to integer)
returns jsonb
language sql
as $$
    select jsonb_agg(jsonb_build_object(
        'id', format('01940000-0000-7000-8000-%s', lpad(to_hex(i), 12, '0')),
        'ts', timestamptz '2025-01-14 00:00:00+00' + (i * 431 % 4320) * interval '1 minute',
        'session_id', 's' || i * 7 % 61,
        'player_hash', encode(sha256(convert_to('player' || i * 7 % 61 % 25, 'UTF8')), 'hex'),
        'world_ref', 'w' || i % 2, 'adventure_ref', 'a1', 'locale', (array['en-US', 'de-DE', 'fr'])[1 + i % 3],
        'assignments', case i % 5
            when 0 then '[]'::jsonb
            when 1 then jsonb_build_array(pg_temp.of_e(i))
            when 2 then jsonb_build_array(pg_temp.of_p(i))
            when 3 then jsonb_build_array(pg_temp.of_e(i), pg_temp.of_p(i))
            else jsonb_build_array(pg_temp.of_p(i), pg_temp.of_e(i))
        end,
        'metrics', jsonb_strip_nulls(jsonb_build_object(
            'failed', i % 11 = 0, 'turnLatencyMs', nullif(i * 37 % 1009, 0) / 8.0, 'modelLatencyMs', nullif(i % 13, 0) * 100.001,
            'bundleMs', nullif(i % 7, 0), 'bundleTokens', nullif(i * 97 % 2003, 0), 'outputTokens', nullif(i * 89 % 1999, 0),
            'retries', nullif(i % 4, 3), 'fallbacks', nullif(i % 3, 2), 'toolCalls', nullif(i % 6, 5), 'acts', nullif(i % 9, 8),
            'choices', nullif(i % 10, 9), 'timeAdvanceTicks', nullif(i * 53 % 499, 0), 'mood', i
        ))
    ) order by i)
    from generate_series(p_from, p_to) as i
$$;

-- The direct aggregate: every event, its variations and 0, every metric that it carries.
create temporary view direct_totals as
select
    v.variation_id,
    (e.ts at time zone 'UTC')::date as day,
    e.world_id,
    e.locale_id,
    m.metric_id,
    count(*) as n,
    sum(m.value)::numeric as sum,
    sum(m.value::numeric ^ 2) as sum_squares,
    min(m.value) as min,
    max(m.value) as max
from awf.turn_events as e
cross join lateral (select distinct u.id as variation_id from unnest(coalesce(e.assignments, '{}') || 0) as u (id)) as v
cross join
    lateral (
        values
        (0::smallint, e.failed::integer::bigint), (1, e.turn_latency_us), (2, e.model_latency_us), (3, e.bundle_us),
        (4, e.bundle_tokens),
        (5, e.output_tokens),
        (6, e.retries),
        (7, e.fallbacks),
        (8, e.tool_calls),
        (9, e.acts),
        (10, e.choices),
        (11, e.time_advance_ticks)
    ) as m (metric_id, value)
where m.value is not null
group by 1, 2, 3, 4, 5;
create temporary view kept_totals as
select
    d.variation_id,
    d.day,
    d.world_id,
    d.locale_id,
    (m.place - 1)::smallint as metric_id,
    m.n,
    m.sum::numeric as sum,
    m.sum_squares,
    m.min,
    m.max
from awf.daily_totals as d
cross join
    lateral unnest(d.n, d.sum, d.sum_squares, d.min, d.max) with ordinality as m (n, sum, sum_squares, min, max, place)
where m.n > 0;
-- The first exposures, by what the design says: the earliest by (ts, event id).
create temporary view direct_exposures as
select
    x.id as experiment_id,
    u.unit_id,
    v.phase,
    (array_agg(v.id order by e.ts, e.id))[1] as variation_id,
    (array_agg(e.locale_id order by e.ts, e.id))[1] as locale_id,
    min(e.ts) as first_ts,
    (array_agg(e.id order by e.ts, e.id))[1] as event_id,
    (array_agg(e.player_hash order by e.ts, e.id))[1] as player_hash
from awf.turn_events as e
inner join awf.variation_ids as v on v.id = any(e.assignments)
inner join awf.experiments as x on v.experiment_id = x.id
cross join
    lateral (
        values (case x.hash_basis when 'session' then e.session_id else encode(e.player_hash, 'hex') end)
    ) as u (unit_id)
group by 1, 2, 3;
create temporary view kept_exposures as
select
    x.experiment_id,
    x.unit_id,
    x.phase,
    x.variation_id,
    x.locale_id,
    x.first_ts,
    x.event_id,
    x.player_hash
from awf.exposures as x;

-- Refusals.
select throws_ok(r.statement, 'WF002', r.message, 'refused: ' || r.what)
from (
    values
    (
        $$select * from awf.backfill('2025-01-16', '2025-01-15')$$, 'the range begins on 2025-01-16, after its end on 2025-01-15',
        'a reversed range'
    ),
    ($$select * from awf.backfill(null, '2025-01-15')$$, 'NULL to 2025-01-15 is no range of days', 'no first day'),
    ($$select * from awf.backfill('2025-01-15', null)$$, '2025-01-15 to NULL is no range of days', 'no last day'),
    (
        $$select * from awf.backfill('-infinity', '2025-01-15')$$,
        '-infinity to 2025-01-15 is no range of days',
        'an infinite first day'
    ),
    (
        $$select * from awf.backfill('2025-01-15', 'infinity')$$,
        '2025-01-15 to infinity is no range of days',
        'an infinite last day'
    ),
    ('select * from awf.rollup_daily(null)', 'NULL to NULL is no range of days', 'no day')
) as r (statement, message, what);
select results_eq('select * from awf.refresh_rollups()', 'values (0, 0::bigint, 0)', 'a refresh of nothing does nothing');
select is_empty($$select * from awf.rollup_daily('2025-01-15')$$, 'a day without events has no rollup, and that is no error');
select is_empty($$select * from awf.backfill('1999-01-01', '2099-01-01')$$, 'nor has a range without events');

-- The first batches: events 1 to 400 in four calls of three days each.
select accepted from awf.record_turns(pg_temp.turns(1, 100));
select accepted from awf.record_turns(pg_temp.turns(101, 200));
select accepted from awf.record_turns(pg_temp.turns(201, 300));
select accepted from awf.record_turns(pg_temp.turns(301, 400));
select results_eq(
    'select * from awf.refresh_rollups()',
    'values (12, 400::bigint, 3)',
    'a refresh says how many batches, events and days it added'
);
select results_eq('select * from awf.refresh_rollups()', 'values (0, 0::bigint, 0)', 'a second refresh finds nothing');
select bag_eq(
    'select * from kept_totals', 'select * from direct_totals',
    'daily totals equal the direct aggregate for every day, variation, locale, world and metric'
);
select ok(
    (select count(*) > 500 from direct_totals), 'which is no small number'
);
select
    bag_eq(
        'select * from kept_exposures', 'select * from direct_exposures', 'first exposures are the earliest by (ts, event id)'
    );
select is(
    (
        select count(*) from awf.exposures as x inner join awf.experiments as e on x.experiment_id = e.id
        where e.key = 'e'
    ),
    61::bigint, 'by session: every session that carried the experiment is a unit'
);
select results_eq(
    $$select x.phase, count(*), bool_and((x.first_ts >= '2025-01-15 12:00+00') = (x.phase = 2))
    from awf.exposures as x inner join awf.experiments as e on e.id = x.experiment_id
    where e.key = 'p' and x.unit_id = encode(x.player_hash, 'hex') group by x.phase order by x.phase$$,
    $$values (1, 24::bigint, true), (2, 24, true)$$, 'by player: every player is, once in each phase that saw it'
);
select is(
    (
        select count(distinct l.refresh_id) from awf.ingest_log as l
        where l.rolled_up_at is not null
    ), 1::bigint,
    'the log names the refresh that claimed the batches'
);

-- The same events once more, then late ones: 401 to 600 fall on the same three days.
select
    results_eq(
        'select * from awf.record_turns(pg_temp.turns(1, 100))', 'values (0, 100, 0)', 'a batch sent again is all duplicates'
    );
select is((select r.events from awf.refresh_rollups() as r), 0::bigint, 'and adds nothing');
select bag_eq('select * from kept_totals', 'select * from direct_totals', 'the totals stay');
select accepted from awf.record_turns(pg_temp.turns(401, 500));
select accepted from awf.record_turns(pg_temp.turns(501, 600));
select results_eq(
    'select * from awf.refresh_rollups()', 'values (6, 200::bigint, 3)', 'late events are added, and nothing is counted again'
);
select bag_eq(
    'select * from kept_totals', 'select * from direct_totals', 'with late events the totals equal the direct aggregate'
);
select bag_eq('select * from kept_exposures', 'select * from direct_exposures', 'and the exposures too');

-- The order of arrival does not matter for the first exposure.
create function pg_temp.show(p_id text, p_ts text, p_variation text, p_locale text)
returns void
language plpgsql
as $$
begin
    perform awf.record_turns(jsonb_build_array(jsonb_build_object(
        'id', p_id, 'ts', p_ts, 'session_id', 'late', 'player_hash', encode(sha256(p_variation::bytea), 'hex'), 'world_ref', 'w1',
        'adventure_ref', 'a1', 'locale', p_locale, 'experiment_key', 'e', 'variation_key', p_variation
    )));
    perform awf.refresh_rollups();
end;
$$;
create function pg_temp.shown()
returns text
language sql
as $$
    select format('%s %s %s', v.variation_key, l.value, x.first_ts at time zone 'UTC')
    from awf.exposures as x
    inner join awf.variation_ids as v on v.id = x.variation_id
    inner join awf.dimensions as l on l.id = x.locale_id
    where x.unit_id = 'late'
$$;
select pg_temp.show('01940000-0000-7000-8000-00000000f005', '2025-01-15T12:00:00Z', 'a', 'fr');
select is(pg_temp.shown(), 'a fr 2025-01-15 12:00:00', 'the first event to arrive is the first exposure for now');
select pg_temp.show('01940000-0000-7000-8000-00000000f001', '2025-01-15T12:00:00.000001Z', 'b', 'en-US');
select is(pg_temp.shown(), 'a fr 2025-01-15 12:00:00', 'a later event changes nothing, whatever its id');
select pg_temp.show('01940000-0000-7000-8000-00000000f004', '2025-01-15T12:00:00Z', 'b', 'en-US');
select is(pg_temp.shown(), 'b en-US 2025-01-15 12:00:00', 'at the same moment the smaller id is first');
select pg_temp.show('01940000-0000-7000-8000-00000000f009', '2025-01-14T12:00:00Z', 'a', 'de-DE');
select is(pg_temp.shown(), 'a de-DE 2025-01-14 12:00:00', 'an event of an earlier day that arrives later is first');
select is(
    (
        select x.player_hash from awf.exposures as x
        where x.unit_id = 'late'
    ), sha256('a'
    ), 'its player and its locale come with it'
);
create function pg_temp.show_phase(p_id text, p_ts text, p_variation text)
returns text
language plpgsql
as $$
begin
    perform awf.record_turns(jsonb_build_array(jsonb_build_object(
        'id', p_id, 'ts', p_ts, 'session_id', 's', 'player_hash', repeat('ee', 32), 'world_ref', 'w1',
        'adventure_ref', 'a1', 'experiment_key', 'p', 'variation_key', p_variation
    )));
    perform awf.refresh_rollups();
    return (
        select string_agg(format('%s: %s %s', x.phase, v.variation_key, x.first_ts at time zone 'UTC'), ', ' order by x.phase)
        from awf.exposures as x inner join awf.variation_ids as v on v.id = x.variation_id
        where x.unit_id = repeat('ee', 32)
    );
end;
$$;
select is(pg_temp.show_phase(t.id, t.ts, t.variation), t.shown, t.what)
from (
    values
    (
        '01940000-0000-7000-8000-00000000f025', '2025-01-15T12:30:00Z', 'x', '2: x 2025-01-15 12:30:00',
        'the second phase is seen first'
    ),
    (
        '01940000-0000-7000-8000-00000000f024', '2025-01-15T11:30:00Z', 'y', '1: y 2025-01-15 11:30:00, 2: x 2025-01-15 12:30:00',
        'a late event of the first phase changes nothing in the second'
    ),
    (
        '01940000-0000-7000-8000-00000000f023', '2025-01-15T12:00:00Z', 'y', '1: y 2025-01-15 11:30:00, 2: y 2025-01-15 12:00:00',
        'an event that is the earliest of its phase is first in its phase alone'
    ),
    (
        '01940000-0000-7000-8000-00000000f022', '2025-01-16T12:00:00Z', 'x', '1: y 2025-01-15 11:30:00, 2: y 2025-01-15 12:00:00',
        'a later one is first in none'
    )
) as t (id, ts, variation, shown, what);
select bag_eq('select * from kept_exposures', 'select * from direct_exposures', 'as the definition says');

-- A bounded claim, and batches whose numbers lie far apart.
select accepted from awf.record_turns(pg_temp.turns(601, 601));
select accepted from awf.record_turns(pg_temp.turns(602, 602));
select setval('awf.ingest_log_batch_id_seq', currval('awf.ingest_log_batch_id_seq') + 100000);
select accepted from awf.record_turns(pg_temp.turns(603, 603));
select results_eq(
    'select r.batches, r.events from awf.refresh_rollups(2) as r',
    'values (2, 2::bigint)',
    'a refresh takes no more batches than it is told'
);
select throws_ok(
    'select awf.refresh_rollups(-1)', 'WF001', 'a refresh cannot take -1 batches', 'a refresh of less than nothing is refused'
);
select results_eq(
    'select r.batches, r.events from awf.refresh_rollups(0) as r', 'values (0, 0::bigint)', 'none, if it is told so'
);
select accepted from awf.record_turns(pg_temp.turns(604, 604));
select results_eq(
    'select r.batches, r.events from awf.refresh_rollups() as r', 'values (2, 2::bigint)', 'the next one takes the rest'
);
select accepted from awf.record_turns(pg_temp.turns(605, 605));
select setval('awf.ingest_log_batch_id_seq', currval('awf.ingest_log_batch_id_seq') + 100000);
select accepted from awf.record_turns(pg_temp.turns(605 + 4320, 605 + 4320)); -- the same minute, and so the same day
select results_eq(
    'select * from awf.refresh_rollups()',
    'values (2, 2::bigint, 1)',
    'batches of a day that lie far apart are two ranges and one day'
);
select bag_eq('select * from kept_totals', 'select * from direct_totals', 'and nothing is lost or counted twice');

-- A recompute equals what the refreshes have made, and repairs what somebody broke.
create temporary table totals_before as table kept_totals;
create temporary table exposures_before as table kept_exposures;
select count(*) from awf.backfill('2025-01-14', '2025-01-16');
select
    bag_eq(
        'select * from kept_totals', 'select * from totals_before', 'a recompute makes the totals that the refreshes had made'
    );
select bag_eq('select * from kept_exposures', 'select * from exposures_before', 'and the exposures');
update awf.daily_totals set n[1] = n[1] + 1
where day = '2025-01-15';
update awf.daily_totals set n[6] = 0
where day = '2025-01-16';
delete from awf.exposures
where unit_id like 's1%';
update awf.exposures set first_ts = first_ts + interval '1 year', event_id = gen_random_uuid()
where unit_id like 's2%';
select count(*) from awf.rollup_daily('2025-01-15');
select bag_eq(
    $$select * from kept_totals where day = '2025-01-15'$$, $$select * from totals_before where day = '2025-01-15'$$,
    'rollup_daily() makes a broken day whole'
);
select isnt_empty(
    $$select * from totals_before where day = '2025-01-16' except select * from kept_totals$$, 'and no other day'
);
select count(*) from awf.backfill('2025-01-01', '2025-01-31');
select bag_eq('select * from kept_totals', 'select * from totals_before', 'backfill() makes the others whole');
select bag_eq('select * from kept_exposures', 'select * from exposures_before', 'and the exposures');

-- A recompute leaves out what no refresh has claimed; the refresh then adds it, once.
select accepted from awf.record_turns(pg_temp.turns(701, 800));
set local role awf_owner;
select awf._recompute_day(d.day) from (values (date '2025-01-14'), ('2025-01-15'), ('2025-01-16')) as d (day);
reset role;
select bag_eq('select * from kept_totals', 'select * from totals_before', 'unclaimed batches are left out of a recompute');
select bag_eq('select * from kept_exposures', 'select * from exposures_before', 'their exposures too');
select results_eq(
    'select * from awf.refresh_rollups()', 'values (3, 100::bigint, 3)', 'the next refresh adds them'
);
select bag_eq('select * from kept_totals', 'select * from direct_totals', 'once');
select bag_eq('select * from kept_exposures', 'select * from direct_exposures', 'their exposures too');
select accepted from awf.record_turns(pg_temp.turns(801, 900));
select count(*) from awf.backfill('2025-01-15', '2025-01-15');
select bag_eq(
    'select * from kept_totals', 'select * from direct_totals', 'backfill() refreshes first, so its result is complete'
);
select is((select r.batches from awf.refresh_rollups() as r), 0, 'and leaves nothing to the next refresh');

-- What backfill() and rollup_daily() return, held against an aggregate over the documented face of the events.
create temporary view direct_rollup as
select
    (e.ts at time zone 'UTC')::date as day,
    v.experiment_key,
    v.variation_key,
    e.locale,
    e.world_ref,
    count(*) as turns,
    count(*) filter (where e.metrics -> 'failed' = 'true') as failed_turns,
    coalesce(sum((e.metrics -> 'bundleTokens')::numeric), 0) as bundle_tokens,
    coalesce(sum((e.metrics -> 'outputTokens')::numeric), 0) as output_tokens,
    round(avg((e.metrics -> 'turnLatencyMs')::numeric), 3) as avg_turn_latency_ms,
    round(avg((e.metrics -> 'modelLatencyMs')::numeric), 3) as avg_model_latency_ms,
    round(avg((e.metrics -> 'bundleMs')::numeric), 3) as avg_bundle_ms,
    round(avg((e.metrics -> 'bundleTokens')::numeric), 3) as avg_bundle_tokens,
    round(avg((e.metrics -> 'outputTokens')::numeric), 3) as avg_output_tokens,
    round(avg((e.metrics -> 'retries')::numeric), 4) as avg_retries,
    round(avg((e.metrics -> 'fallbacks')::numeric), 4) as avg_fallbacks,
    round(avg((e.metrics -> 'toolCalls')::numeric), 4) as avg_tool_calls,
    round(avg((e.metrics -> 'acts')::numeric), 4) as avg_acts,
    round(avg((e.metrics -> 'choices')::numeric), 4) as avg_choices,
    round(avg((e.metrics -> 'timeAdvanceTicks')::numeric), 4) as avg_time_advance_ticks
from awf.analytics_events as e
inner join awf.turn_events as t on e.id = t.id and e.ts = t.ts
cross join
    lateral (
        select
            null as experiment_key,
            null as variation_key
        union all
        select
            i.experiment_key,
            i.variation_key
        from awf.variation_ids as i
        where i.id = any(t.assignments)
    ) as v
group by 1, 2, 3, 4, 5;
select bag_eq(
    $$select * from awf.backfill('2025-01-01', '2025-01-31')$$, 'select * from direct_rollup',
    'backfill() returns what the events say, with sums and averages'
);
select bag_eq(
    $$select * from awf.rollup_daily('2025-01-15')$$, $$select * from direct_rollup where day = '2025-01-15'$$,
    'rollup_daily() returns its day'
);
select results_eq(
    $$select day, experiment_key, variation_key, locale, world_ref from awf.backfill('2025-01-14', '2025-01-16')$$,
    $$select day, experiment_key, variation_key, locale, world_ref from direct_rollup
    order by day, experiment_key nulls first, variation_key, locale, world_ref$$,
    'in the order of day, experiment, variation, locale, world, every turn first'
);
select results_eq(
    $$select sum(turns)::bigint from awf.backfill('2025-01-01', '2025-01-31') where experiment_key is null$$,
    'select count(*) from awf.turn_events', 'rows without an experiment count every turn once, whatever experiments it carries'
);
select bag_eq(
    $$select day, experiment_key, variation_key, phase, locale, world_ref, turns, failed_turns, bundle_tokens_sum,
    output_tokens_sum, turn_latency_us_count from awf.daily_rollups$$,
    $$select d.day, v.experiment_key, v.variation_key, v.phase, l.value as locale, w.value as world_ref,
    (sum(d.n) filter (where d.metric_id = 0))::bigint as a, (sum(d.sum) filter (where d.metric_id = 0))::bigint as b,
    sum(d.sum) filter (where d.metric_id = 4) as c, sum(d.sum) filter (where d.metric_id = 5) as d,
    (sum(d.n) filter (where d.metric_id = 1))::bigint as e
    from direct_totals as d left join awf.variation_ids as v on v.id = d.variation_id
    inner join awf.dimensions as l on l.id = d.locale_id inner join awf.dimensions as w on w.id = d.world_id
    group by 1, 2, 3, 4, 5, 6$$,
    'the view daily_rollups shows the same, the phases of an experiment apart'
);

-- A turn that names a variation nobody knows, as a client of another database might send on the direct path.
select batch_id from awf.open_batch('2025-01-20', 1);
insert into awf.turn_events_20250120 (ts, id, session_id, player_hash, world_id, adventure_id, locale_id, assignments)
select
    '2025-01-20 10:00+00',
    gen_random_uuid(),
    's',
    sha256('p'),
    d[1],
    d[1],
    d[1],
    array[999999999]
from awf.dimension_ids('world', '{w1}') as d;
select results_eq(
    $$select experiment_key, turns from awf.rollup_daily('2025-01-20') order by experiment_key nulls first limit 1$$,
    $$values (null::text, 1::bigint)$$, 'a turn with an unknown variation counts once among all turns'
);

-- Exact sums: the largest latencies, whose squares are beyond bigint when added up.
select accepted from awf.record_turns((
    select
        jsonb_agg(jsonb_build_object(
            'ts',
            '2025-01-21T10:00:00Z',
            'session_id',
            's' || i,
            'player_hash',
            repeat('ab', 32),
            'world_ref',
            'w1',
            'adventure_ref',
            'a1',
            'metrics', '{"turnLatencyMs": 2147483.647}'::jsonb
        ))
    from generate_series(1, 5) as i
));
select accepted from awf.record_turns(jsonb_build_array(jsonb_build_object(
    'ts', '2025-01-21T10:00:00Z', 'session_id', 's', 'player_hash', repeat('ab', 32), 'world_ref', 'w1', 'adventure_ref', 'a1'
)));
select r.batches from awf.refresh_rollups() as r;
select results_eq(
    $$select n, sum, sum_squares, min, max from kept_totals where day = '2025-01-21' and metric_id = 1$$,
    -- 5 * 2147483647 and 5 * 2147483647 ** 2, from Python.
    $$values (5::bigint, 10737418235::numeric, 23058430070662103045::numeric, 2147483647::bigint, 2147483647::bigint)$$,
    'sums of squares are exact beyond the range of bigint'
);
select results_eq(
    $$select turns, failed_turns, bundle_tokens, avg_turn_latency_ms, avg_acts from awf.rollup_daily('2025-01-21')$$,
    $$values (6::bigint, 0::bigint, 0::numeric, 2147483.647, null::numeric)$$,
    'an average is over the turns that carry the metric, and NULL where none does'
);

-- The same key again is another experiment: its totals do not mix.
select awf.start_experiment('e');
select awf.stop_experiment('e');
create temporary table old_e as select v.id from awf.variation_ids as v
where v.experiment_key = 'e';
select awf.delete_experiment('e');
select awf.create_experiment('e', 'E again', '[{"variation": "a", "percent": 100}]');
select awf.create_variation('e', 'a');
select awf.record_turn(
    '{"ts": "2025-01-22T10:00:00Z", "session_id": "s1", "player_hash":
    "abababababababababababababababababababababababababababababababab", "world_ref": "w1", "adventure_ref": "a1",
    "experiment_key": "e", "variation_key": "a"}'
);
select r.batches from awf.refresh_rollups() as r;
select is(
    (
        select count(*) from awf.daily_totals as d
        where d.day = '2025-01-22' and d.variation_id in (select o.id from old_e as o)
    ),
    0::bigint, 'events of an experiment made again do not count for the old one'
);
select is(
    (
        select count(*) from awf.exposures as x inner join awf.experiments as e on x.experiment_id = e.id
        where e.key = 'e'
    ),
    1::bigint,
    'and it has its own exposures only'
);
select count(*) from awf.backfill('2025-01-14', '2025-01-16');
select is(
    (
        select count(*) from awf.exposures as x inner join awf.experiments as e on x.experiment_id = e.id
        where e.key = 'e'
    ),
    1::bigint,
    'after a recompute of old days, too'
);
select isnt_empty(
    $$select * from awf.rollup_daily('2025-01-15') where experiment_key = 'e'$$, 'the rollups of the deleted one still name it'
);

-- Who has no exposure is taken to have no totals; where somebody took exposures away, a refresh finds out.
delete from awf.exposures as x using awf.experiments as e
where x.experiment_id = e.id and e.key = 'e';
select awf.record_turn(
    '{"ts": "2025-01-22T11:00:00Z", "session_id": "s1", "player_hash":
    "abababababababababababababababababababababababababababababababab", "world_ref": "w1", "adventure_ref": "a1",
    "experiment_key": "e", "variation_key": "a", "metrics": {"turnLatencyMs": 2147483.647}}'
);
select r.batches from awf.refresh_rollups() as r;
select results_eq(
    $$select u.turns, u.turn_latency_us_sum from awf.unit_totals as u
    inner join awf.variation_ids as v on u.variation_id = v.id inner join awf.experiments as e on v.experiment_id = e.id
    where e.key = 'e'$$,
    $$values (2::bigint, 2147483647::bigint)$$, 'a unit without its exposure keeps the totals that it has'
);
select results_eq(
    $$select m.units, m.sum_d, m.sum_dd from awf.experiment_moments as m
    inner join awf.variation_ids as v on m.variation_id = v.id inner join awf.experiments as e on v.experiment_id = e.id
    where e.key = 'e' and m.metric_id = 0$$,
    $$values (1::bigint, 2::numeric, 4::numeric)$$, 'and counts once in the moments'
);

-- Opening a phase rolls up first what is waiting: sticky units are known by their exposures.
select awf.create_experiment('w', 'W', '[{"variation": "a", "percent": 100}]', p_settings => '{"sticky": true}');
select awf.create_variation('w', 'a');
select awf.start_experiment('w');
create function pg_temp.wait(p_session text)
returns uuid
language sql
as $$
    select awf.record_turn(jsonb_build_object(
        'ts', '2025-02-01T12:00:00Z', 'session_id', p_session, 'player_hash', repeat('dd', 32), 'world_ref', 'w1',
        'adventure_ref', 'a1', 'experiment_key', 'w', 'variation_key', 'a'
    ))
$$;
create function pg_temp.exposed_to_w()
returns text
language sql
as $$
    select string_agg(x.unit_id || ' ' || x.phase, ', ' order by x.unit_id, x.phase)
    from awf.exposures as x inner join awf.experiments as e on e.id = x.experiment_id
    where e.key = 'w'
$$;
select pg_temp.wait('waiting-1');
select b.batch_id from awf.open_batch('2025-02-01', 0) as b;
select pg_temp.wait('waiting-2');
select is(pg_temp.exposed_to_w(), null, 'events wait to be rolled up');
select pg_temp.clock('2025-02-01 13:00+00');
select awf.open_phase('w');
select is(pg_temp.exposed_to_w(), 'waiting-1 1, waiting-2 1', 'opening a phase rolls them up, as exposures to the phase before');
select is((select r.batches from awf.refresh_rollups() as r), 0, 'and leaves none of them');
select pg_temp.clock('2025-02-01 12:00+00');

-- Events that are gone.
create temporary table totals_at_the_end as table kept_totals;
set local role awf_owner;
select lives_ok(
    'alter table awf.turn_events detach partition awf.turn_events_20250115', 'the owner can detach a partition'
);
reset role;
select throws_ok(
    $$select * from awf.rollup_daily('2025-01-15')$$, 'WF301',
    'the events of 2025-01-15 are gone: its rollups cannot be made anew', 'a day whose partition is detached is refused'
);
select throws_ok(
    $$select * from awf.backfill('2025-01-14', '2025-01-16')$$, 'WF301', null, 'so is a range with such a day'
);
select bag_eq(
    $$select * from kept_totals where day = '2025-01-15'$$,
    $$select * from totals_at_the_end where day = '2025-01-15'$$,
    'the rollups of the day stay'
);
select bag_eq(
    $$select * from kept_totals where day <> '2025-01-15'$$,
    $$select * from totals_at_the_end where day <> '2025-01-15'$$,
    'and those of the other days'
);
select isnt_empty($$select * from awf.rollup_daily('2025-01-14')$$, 'another day can be made anew');
set local role awf_owner;
drop table awf.turn_events_20250115;
reset role;
select throws_ok(
    $$select * from awf.rollup_daily('2025-01-15')$$, 'WF301', null, 'a day whose partition is dropped is refused as well'
);
select isnt_empty(
    $$select * from awf.daily_rollups where day = '2025-01-15'$$, 'and shows its rollups nevertheless'
);

-- Crossovers, and what exposures keep of the attributes.
select pg_temp.clock('2025-02-01 12:00+00');
select awf.create_experiment('c', 'C', '[{"variation": "a", "percent": 50}, {"variation": "b", "percent": 50}]');
select awf.create_variation('c', 'a');
select awf.create_variation('c', 'b');
select awf.create_experiment('cp', 'CP', '[{"variation": "x", "percent": 50}, {"variation": "y", "percent": 50}]', 'player');
select awf.create_variation('cp', 'x');
select awf.create_variation('cp', 'y');
create temporary table arriving (place integer, event jsonb, attributes jsonb);
insert into arriving
select
    a.place,
    jsonb_build_object(
        'id', format('01940000-0000-7000-8000-%s', lpad(a.id, 12, 'f')), 'ts', a.ts, 'session_id', 'crossing',
        'player_hash', repeat(a.player, 32), 'world_ref', 'w1', 'adventure_ref', 'a1', 'locale', a.locale,
        'assignments', jsonb_build_array(
            jsonb_build_object('experiment', 'c', 'variation', a.of_c),
            jsonb_build_object('experiment', 'cp', 'variation', a.of_cp)
        )
    ),
    a.attributes
from (
    values
    (
        1, '1', timestamptz '2025-01-20 10:00+00', '11', 'a', 'x', 'en-US', '{"country": "FR", "age": 7, "secret": "s"}'::jsonb
    ),
    -- The same moment: the smaller id is the first.
    (2, '0', '2025-01-20 10:00+00', '22', 'b', 'x', 'de-DE', '{"vip": true, "age": 8}'),
    (3, '3', '2025-01-21 10:00+00', '11', 'b', 'y', 'fr', '{"country": "DE"}'),
    (4, '4', '2025-01-19 10:00+00', '22', 'a', 'x', 'en-US', null),
    (5, '5', '2025-01-18 10:00+00', '11', 'a', 'x', 'en-US', '{"country": "XX", "age": 7, "secret": "s"}')
) as a (place, id, ts, player, of_c, of_cp, locale, attributes);
create function pg_temp.clear_events()
returns void
language sql
as $$
    delete from awf.turn_events;
    truncate
        awf.ingest_log, awf.daily_totals, awf.dimension_totals, awf.hourly_totals, awf.locale_totals, awf.histograms, awf.exposures,
        awf.crossovers, awf.exposure_days, awf.unit_totals, awf.player_days, awf.experiment_moments, awf.history_moments;
$$;
create function pg_temp.arrive(p_place integer)
returns void
language plpgsql
as $$
begin
    perform awf.record_turn(a.event || jsonb_build_object('attributes', a.attributes)) from arriving as a where a.place = p_place;
end;
$$;
create function pg_temp.exposure_state()
returns jsonb
language sql
as $$
    select jsonb_build_object(
        'exposures', (select jsonb_agg(to_jsonb(x) order by x.experiment_id, x.unit_id, x.phase) from awf.exposures as x),
        'crossovers', (
            select jsonb_agg(to_jsonb(c) order by c.experiment_id, c.unit_id, c.phase, c.variation_id) from awf.crossovers as c
        )
    )
$$;
-- The state after events came in an order, with a refresh after so many of them.
create function pg_temp.after(p_order integer[], p_at_once integer)
returns jsonb
language plpgsql
as $$
begin
    perform pg_temp.clear_events();
    for i in 1 .. cardinality(p_order) loop
        perform pg_temp.arrive(p_order[i]);
        if i % p_at_once = 0 then
            perform awf.refresh_rollups();
        end if;
    end loop;
    perform awf.refresh_rollups();
    return pg_temp.exposure_state();
end;
$$;
create function pg_temp.made_anew()
returns jsonb
language plpgsql
as $$
begin
    delete from awf.exposures;
    delete from awf.crossovers;
    perform awf.backfill('2025-01-18', '2025-02-01');
    return pg_temp.exposure_state();
end;
$$;
create temporary view crossed as
select
    v.experiment_key,
    c.unit_id,
    v.variation_key,
    c.first_ts,
    right(c.event_id::text, 1) as event,
    left(encode(c.player_hash, 'hex'), 2) as player
from awf.crossovers as c
inner join awf.variation_ids as v on c.variation_id = v.id;
select awf.set_setting('exposure_attributes', '["age", "country", "vip"]');
create temporary table expected_state as select pg_temp.after('{1,2,3,4,5}', 5) as state;
select bag_eq(
    $$select v.experiment_key, x.unit_id, v.variation_key, x.first_ts, right(x.event_id::text, 1), x.attributes
    from awf.exposures as x inner join awf.variation_ids as v on v.id = x.variation_id$$,
    $$values ('c', 'crossing', 'a', timestamptz '2025-01-18 10:00+00', '5', '{"age": 7, "country": "XX"}'::jsonb),
    ('cp', repeat('11', 32), 'x', '2025-01-18 10:00+00', '5', '{"age": 7, "country": "XX"}'),
    ('cp', repeat('22', 32), 'x', '2025-01-19 10:00+00', '4', null)$$,
    'the first event of each unit is its exposure, with the attributes that the setting names'
);
select bag_eq(
    'select * from crossed',
    $$values ('c', 'crossing', 'a', timestamptz '2025-01-18 10:00+00', '5', '11'),
    ('c', 'crossing', 'b', '2025-01-20 10:00+00', '0', '22'),
    ('cp', repeat('11', 32), 'x', '2025-01-18 10:00+00', '5', '11'),
    ('cp', repeat('11', 32), 'y', '2025-01-21 10:00+00', '3', '11')$$,
    'a unit that was seen in two variations stands in crossovers with its first event in each, and no other unit does'
);
select is(pg_temp.made_anew(), e.state, 'a recompute makes the same exposures and crossovers') from expected_state as e;
create temporary table orders as
with recursive places (places) as (
    select '{}'::integer[]
    union all
    select o.places || i
    from places as o
    cross join generate_series(1, 5) as i
    where i <> all(o.places)
)

select p.places from places as p
where cardinality(p.places) = 5;
select is((select count(*) from orders), 120::bigint, 'five events can come in 120 orders');
select
    is_empty(
        format(
            'select o.places from orders as o, expected_state as s where pg_temp.after(o.places, %s) is distinct from s.state',
            n.at_once
        ),
        format('all give the same exposures and crossovers, with a refresh after %s events', n.at_once)
    )
from generate_series(1, 5) as n (at_once);
select is((select count(*) from awf.crossovers), 4::bigint, 'which are there');
select isnt_empty($$select * from awf.backfill('2025-01-18', '2025-02-01')$$, 'a recompute on top of them');
select is(pg_temp.exposure_state(), e.state, 'counts no crossover again') from expected_state as e;
select pg_temp.after('{1,2}', 2);
select is(
    (
        select right(x.event_id::text, 1) from awf.exposures as x
        where x.unit_id = 'crossing'
    ), '0',
    'of two events of the same moment the one with the smaller id is first'
);
select pg_temp.after('{3,1}', 1);
select results_eq(
    $$select variation_key from crossed where experiment_key = 'c' order by 1$$, array['a', 'b'],
    'the variation that a late event drives out of the exposures is a crossover'
);
select pg_temp.after('{1,4}', 1);
select is_empty('select * from crossed', 'a unit that kept its variation has none');
select pg_temp.clear_events();
select
    awf.record_turn(
        a.event || '{"assignments": [{"experiment": "c", "variation": "b"}, {"experiment": "c", "variation": "a"}]}'
    )
from arriving as a
where a.place = 1;
update awf.turn_events set attributes = '{"country": "FR", "age": 7, "vip": false, "secret": "s"}'
where id is not null;
select r.events from awf.refresh_rollups() as r;
select results_eq(
    'select variation_key from crossed order by 1', array['a', 'b'], 'a single event can show a unit in two variations'
);
select is(
    (select x.attributes from awf.exposures as x), '{"country": "FR", "age": 7, "vip": false}',
    'numbers and booleans are kept, too'
);
select awf.set_setting('exposure_attributes', '["country"]');
select isnt_empty($$select * from awf.backfill('2025-01-20', '2025-01-20')$$, 'a recompute under another setting');
select is((select x.attributes from awf.exposures as x), '{"country": "FR"}', 'keeps what that one names');
select awf.set_setting('exposure_attributes', '[]');
select isnt_empty($$select * from awf.backfill('2025-01-20', '2025-01-20')$$, 'under one that names none');
select is(array(select x.attributes from awf.exposures as x), '{null}', 'nothing is kept');
select pg_temp.clear_events();
select
    pg_temp.clock('2025-01-10 00:00+00'),
    awf.start_experiment('c');
select
    pg_temp.clock('2025-01-20 12:00+00'),
    awf.open_phase('c', '{"allocations": [{"variation": "a", "percent": 20}, {"variation": "b", "percent": 80}]}');
select pg_temp.clock('2025-02-01 12:00+00');
select pg_temp.arrive(1), pg_temp.arrive(3); -- noqa: LT09
select r.events from awf.refresh_rollups() as r;
select results_eq(
    'select distinct experiment_key from crossed', array['cp'],
    'another variation in another phase is no crossover, in the same is one'
);
select awf.delete_experiment('cp');
select is_empty('select * from crossed', 'an experiment that is deleted takes its crossovers along');

-- The log keeps what was rolled up for a while.
select pg_temp.clear_events();
insert into awf.ingest_log (day, path, rows, client, role_name, rolled_up_at)
select
    '2025-01-20',
    'direct',
    1,
    i || ' days ago',
    'x',
    timestamptz '2025-02-01 12:00+00' - i * interval '1 day'
from generate_series(29, 31) as i;
insert into awf.ingest_log (day, path, rows, client, role_name, opened_at) values
('2025-01-20', 'direct', 1, 'waiting since 2020', 'x', '2020-01-01 00:00+00');
select r.batches from awf.refresh_rollups(0) as r;
select results_eq(
    'select client from awf.ingest_log order by batch_id', array['29 days ago', '30 days ago', 'waiting since 2020'],
    'a refresh takes out what was rolled up more than 30 days ago, and nothing that waits'
);
select awf.set_setting('ingest_log_keep_days', '29');
select r.batches from awf.refresh_rollups(0) as r;
select results_eq(
    'select client from awf.ingest_log order by batch_id', array['29 days ago', 'waiting since 2020'],
    'how long it is kept is a setting'
);
select is((select r.batches from awf.refresh_rollups() as r), 1, 'the batch that waits is rolled up in its turn');
delete from awf.ingest_log;
insert into awf.ingest_log (day, path, rows, client, role_name, rolled_up_at)
select
    '2025-01-20',
    'direct',
    1,
    case when i <= 1000 then 'new' else 'old' end,
    'x',
    case when i <= 1000 then timestamptz '2025-02-01 12:00+00' else '2020-01-01' end
from generate_series(1, 1001) as i;
select r.batches from awf.refresh_rollups() as r;
select is((select count(*) from awf.ingest_log), 1001::bigint, 'no more than the 1,000 oldest rows are looked at');
delete from awf.ingest_log
where batch_id = (select min(l.batch_id) from awf.ingest_log as l);
select r.batches from awf.refresh_rollups() as r;
select is_empty($$select batch_id from awf.ingest_log where client = 'old'$$, 'one of the 1,000 oldest goes');
-- Events whose batch is in the log no more.
select awf.record_turn(a.event - 'assignments') from arriving as a
where a.place = 3;
select r.events from awf.refresh_rollups() as r;
create temporary table totals_with_log as table kept_totals;
delete from awf.ingest_log;
select isnt_empty($$select * from awf.backfill('2025-01-21', '2025-01-21')$$, 'a day whose batches are in the log no more');
select bag_eq('select * from kept_totals', 'select * from totals_with_log', 'is made anew as it was');

-- How the events of a batch are found must not hang on statistics, which know nothing of them.
create function pg_temp.scans(p_query text)
returns setof text
language plpgsql
set enable_seqscan = 'off'
as $$
declare
    v_line text;
    v_found text[];
begin
    for v_line in execute 'explain (costs off) ' || p_query loop
        v_found := regexp_match(v_line, 'Index Scan on (\w+)|(Seq Scan) on');
        return next coalesce(v_found[1], v_found[2]);
    end loop;
end;
$$;
select bag_eq(
    format(
        'select s from pg_temp.scans(%L) as s where s is not null',
        'with '
        || awf._events_part('2025-01-20', '2025-01-21', 'e.batch_id between (select 1) and (select 2)')
        || ' select count(e.ts) from e'
    ),
    $$select c.relname::text
    from pg_index as i
    inner join pg_class as c on c.oid = i.indexrelid
    inner join pg_inherits as h on h.inhrelid = i.indexrelid and h.inhparent = 'awf.turn_events_batch'::regclass
    where i.indrelid in ('awf.turn_events_20250120'::regclass, 'awf.turn_events_20250121'::regclass)$$,
    'the events of batches are found by the index of the batches, in every partition of the range and no other'
);
select is(
    (
        select p.proconfig @> array['enable_seqscan=off', 'enable_nestloop=off'] from pg_proc as p
        where p.proname = '_merge_events'
    ),
    true, 'and by nothing else in a refresh'
);
select is_empty(
    format('with %s select * from e', awf._events_part('1999-01-01', '1999-01-02', 'true')),
    'days without a partition have no events'
);

select finish();
rollback;
