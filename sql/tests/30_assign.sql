-- Assignment: the hash, the ranges, who gets which variation, and the parameters of a turn.
begin;
select plan(168);

set local timezone = 'Asia/Kolkata'; -- nothing here may depend on it
set local role awf_owner;
create or replace function awf._now() returns timestamptz language sql stable parallel safe
return timestamptz '2025-02-01 12:00:00+00';
insert into awf.knobs (name, type, min_value, max_value, description) values
('temperature', 'number', 0, 2, 'A knob of type number.'),
('streaming', 'boolean', null, null, 'A knob of type boolean.');
reset role;

-- The hash. The FNV-1a values of '', a and foobar are the published ones; the others were computed in Python over the UTF-16
-- code units: h = 2166136261; for each unit of s.encode("utf-16-le"): h = ((h ^ unit) * 16777619) % 2**32.
select is(awf._fnv1a(array[f.text]), array[f.hash], 'FNV-1a of ' || f.what)
from (
    values
    ('', 2166136261, 'the empty text'), ('a', 3826002220, 'a letter'), ('foobar', 3214735720, 'a word'),
    ('é', 1812687940, 'a letter beyond ASCII'), ('日本語', 1409693518, 'Japanese'),
    ('😀', 3409036472, 'an emoji: two code units'), ('a😀b', 2412414209, 'an emoji between letters'),
    ('𐍈', 1847805685, 'a Gothic letter: two code units')
) as f (text, hash, what);
select is(awf._fnv1a(array[null, 'a']), array[null, 3826002220], 'FNV-1a of NULL is NULL, and each text is hashed by itself');
-- The first rows are published vectors of the GrowthBook SDKs; the others follow from the values above, in Python:
-- version 1: fnv(value + seed) % 1000 / 1000; version 2: fnv(str(fnv(seed + value))) % 10000 / 10000.
select
    is(
        awf.hash_unit(h.seed, h.value, h.version), h.n::double precision,
        format('hash of "%s" under "%s", version %s', h.value, h.seed, h.version)
    )
from (
    values
    ('', 'a', 1, 0.22), ('', 'b', 1, 0.077), ('b', 'a', 1, 0.946), ('', '___)((*":&', 1, 0.563),
    ('seed', 'a', 2, 0.0505), ('seed', 'b', 2, 0.2696), ('foo', 'ab', 2, 0.2575), ('89123klj', '8952klfjas09ujkasdf', 2, 0.124),
    ('()**(%$##$%#$#', '___)((*":&', 2, 0.0128),
    ('token-budget-test', 'session-1', 2, 0.2342), ('token-budget-test', 'session-2', 2, 0.1834),
    ('token-budget-test', 'session-1', 1, 0.435),
    ('naïve', 'Zürich', 1, 0.188), ('naïve', 'Zürich', 2, 0.7059), ('実験', 'セッション', 1, 0.456),
    ('実験', 'セッション', 2, 0.303), ('emoji', '😀🎲', 1, 0.924), ('emoji', '😀🎲', 2, 0.0464),
    ('mix', 'a😀é', 1, 0.83), ('mix', 'a😀é', 2, 0.7533), ('', '', 1, 0.261), ('', '', 2, 0.2305)
) as h (seed, value, version, n);
select is(awf.hash_unit('abc', 'def', 99), null, 'an unknown hash version gives NULL');
select is(awf.hash_unit('abc', null, 2), null, 'no value gives NULL');
select is(awf.hash_unit(null, 'def', 2), null, 'no seed gives NULL');

-- Weights and ranges, as the GrowthBook SDKs compute them.
select is(awf.equal_weights(w.n), w.weights::double precision[], format('%s equal weights', w.n))
from (values (-1, '{}'), (0, '{}'), (1, '{1}'), (2, '{0.5,0.5}'), (4, '{0.25,0.25,0.25,0.25}')) as w (n, weights);
create function pg_temp.rounded(p_ranges jsonb)
returns jsonb
language sql
as $$
    select jsonb_agg(jsonb_build_array(round((r.value -> 0)::numeric, 9), round((r.value -> 1)::numeric, 9)) order by r.ordinality)
    from jsonb_array_elements(p_ranges) with ordinality as r
$$;
select
    is(
        pg_temp.rounded(awf.bucket_ranges(b.n, b.coverage, b.weights::double precision[])),
        b.ranges::jsonb,
        'ranges of ' || b.what
    )
from (
    values
    (2, 1, null, '[[0, 0.5], [0.5, 1]]', 'two halves'),
    (2, 0.5, null, '[[0, 0.25], [0.5, 0.75]]', 'half the coverage'),
    (2, 0, null, '[[0, 0], [0.5, 0.5]]', 'no coverage'),
    (2, null, null, '[[0, 0.5], [0.5, 1]]', 'no statement on coverage: all of it'),
    (2, -0.2, null, '[[0, 0], [0.5, 0.5]]', 'a negative coverage'),
    (2, 1.5, null, '[[0, 0.5], [0.5, 1]]', 'a coverage above 1'),
    (4, 1, null, '[[0, 0.25], [0.25, 0.5], [0.5, 0.75], [0.75, 1]]', 'four variations'),
    (3, 0.2, '{0.2,0.3,0.5}', '[[0, 0.04], [0.2, 0.26], [0.5, 0.6]]', 'uneven weights with reduced coverage'),
    (2, 1, '{0.4,0.1}', '[[0, 0.5], [0.5, 1]]', 'weights that sum to less than 1: equal ones'),
    (2, 1, '{0.7,0.6}', '[[0, 0.5], [0.5, 1]]', 'weights that sum to more than 1: equal ones'),
    (4, 1, '{0.4,0.4,0.2}', '[[0, 0.25], [0.25, 0.5], [0.5, 0.75], [0.75, 1]]', 'too few weights: equal ones'),
    (2, 1, '{0.4,0.5999}', '[[0, 0.4], [0.4, 0.9999]]', 'weights that sum almost to 1')
) as b (n, coverage, weights, ranges, what);
select is(awf.choose_variation(c.n, c.ranges::jsonb), c.chosen, 'choice: ' || c.what)
from (
    values
    (0, '[[0, 0.5], [0.5, 1]]', 0, 'the lower end of a range belongs to it'),
    (0.5, '[[0, 0.5], [0.5, 1]]', 1, 'the upper end belongs to the next one'),
    (0.9999, '[[0, 0.5], [0.5, 1]]', 1, 'the last range ends at 1'),
    (0.25, '[[0, 0.25], [0.5, 0.75]]', -1, 'between the ranges there is nobody'),
    (0.8, '[[0, 0.25], [0.5, 0.75]]', -1, 'nor behind them'),
    (0.5, '[[0, 0.5], [0.5, 0.5], [0.5, 1]]', 2, 'an empty range gets nobody'),
    (0.5, '[]', -1, 'no range, no choice'),
    (0.5, null, -1, 'nor with NULL'),
    (null, '[[0, 0.5], [0.5, 1]]', -1, 'a unit without a number is out')
) as c (n, ranges, chosen, what);

-- Refusals.
select throws_ok(
    $$select awf.assign('nope', 's')$$, 'WF101', 'there is no experiment "nope"', 'assign() names an experiment that is not there'
);
select throws_ok(
    $$select awf.assign('awf-default-test', 's', 'player-1')$$, 'WF001', 'a player hash of 8 characters is none',
    'assign() refuses a raw player id and does not repeat it'
);
select throws_ok(
    $$select awf.turn_params('s', 'player-1')$$, 'WF001', 'a player hash of 8 characters is none', 'and so does turn_params()'
);
select throws_ok(
    format('select awf.assign(%L, %L, %L)', 'awf-default-test', 's', repeat('AB', 32)), 'WF001',
    'a player hash of 64 characters is none', 'a hash in capitals is another text, and would be another unit'
);
select
    throws_ok(
        format('select awf.turn_params(%L, null, %L)', 's', d.defaults), 'WF001', format('defaults cannot be %s', d.defaults),
        'defaults are refused: ' || d.what
    )
from (
    values ('[]', 'a list'), ('5', 'a number'), ('"x"', 'a text'), ('null', 'JSON null')
) as d (defaults, what);

-- Who gets what.
select awf.create_experiment('halves', 'Halves', '[{"variation": "a", "percent": 50}, {"variation": "b", "percent": 50}]');
select awf.create_variation('halves', 'a', '{"maxActs": 4}');
select awf.create_variation('halves', 'b', '{"maxActs": 5}');
select is(awf.assign('halves', 's1'), null, 'a draft assigns nobody');
select awf.start_experiment('halves');
select is(awf.assign('halves', null), null, 'without a session there is no unit');
select is(awf.assign('awf-default-test', 's', ''), null, 'an empty player hash is a missing one');
select is(awf.assign('halves', ''), null, 'the empty session is no unit');
create temporary table halves as
select
    i,
    awf.assign('halves', 's' || i) as variation
from generate_series(1, 10000) as i;
select results_eq(
    'select variation, count(*) from halves group by variation order by variation',
    -- The same hash in Python over s1 ... s10000.
    $$values ('a', 4941::bigint), ('b', 5059)$$,
    '10,000 sessions split in halves, within chance (standard deviation 50)'
);
select is_empty(
    $$select i from halves where variation is distinct from awf.assign('halves', 's' || i) and i % 10 = 0$$,
    'the same session gets the same variation again'
);
select is_empty(
    $$select i from halves where i % 10 = 0
    and variation is distinct from awf.turn_params('s' || i, null) #>> '{exposures,0,variation}'$$,
    'turn_params() gives the same variation as assign()'
);
select awf.update_variation('halves', 'a', '{"maxActs": 6}');
select awf.update_experiment('halves', '{"name": "Renamed"}');
select awf.create_variation('halves', 'c');
select is_empty(
    $$select i from halves where variation is distinct from awf.assign('halves', 's' || i) and i % 10 = 0$$,
    'other params, another name, one more variation: nobody moves'
);
select awf.create_experiment(
    'thirds',
    'Thirds',
    '[{"variation": "a", "percent": 33.3}, {"variation": "b", "percent": 33.3}, {"variation": "c", "percent": 33.4}]'
);
select awf.create_variation('thirds', 'a');
select awf.create_variation('thirds', 'b');
select awf.create_variation('thirds', 'c');
select awf.start_experiment('thirds');
select results_eq(
    $$select awf.assign('thirds', 's' || i) as v, count(*) from generate_series(1, 10000) as i group by v order by v$$,
    $$values ('a', 3381::bigint), ('b', 3252), ('c', 3367)$$, 'decimal percents split as they say (the counts are Python''s)'
);
select awf.create_experiment('tenth', 'Tenth', '[{"variation": "a", "percent": 10}, {"variation": "b", "percent": 90}]');
select awf.create_variation('tenth', 'a');
select awf.create_variation('tenth', 'b');
select awf.start_experiment('tenth');
select results_eq(
    $$select awf.assign('tenth', 's' || i) as v, count(*) from generate_series(1, 10000) as i group by v order by v$$,
    $$values ('a', 1013::bigint), ('b', 8987)$$, 'uneven percents split as they say (the counts are Python''s)'
);
select awf.create_experiment(
    'none',
    'None',
    '[{"variation": "a", "percent": 0}, {"variation": "b", "percent": 100}]',
    p_settings => '{"hashSeed": "halves"}'
);
select awf.create_variation('none', 'a');
select awf.create_variation('none', 'b');
select awf.start_experiment('none');
select results_eq(
    $$select awf.assign('none', 's' || i) as v, count(*) from generate_series(1, 1000) as i group by v$$,
    $$values ('b', 1000::bigint)$$, 'a variation with 0 percent gets nobody'
);

-- Coverage: it lets units in, and never moves one.
select awf.create_experiment(
    'ramp', 'Ramp', '[{"variation": "a", "percent": 30}, {"variation": "b", "percent": 70}]', p_settings => '{"coverage": 0}'
);
select awf.create_variation('ramp', 'a');
select awf.create_variation('ramp', 'b');
select awf.start_experiment('ramp');
create temporary table ramp (coverage numeric, i integer, variation text);
insert into ramp select
    0,
    i,
    awf.assign('ramp', 's' || i)
from generate_series(1, 2000) as i;
select awf.update_experiment('ramp', '{"coverage": 0.1}');
insert into ramp select
    0.1,
    i,
    awf.assign('ramp', 's' || i)
from generate_series(1, 2000) as i;
select awf.update_experiment('ramp', '{"coverage": 0.55}');
insert into ramp select
    0.55,
    i,
    awf.assign('ramp', 's' || i)
from generate_series(1, 2000) as i;
select awf.update_experiment('ramp', '{"coverage": 1}');
insert into ramp select
    1,
    i,
    awf.assign('ramp', 's' || i)
from generate_series(1, 2000) as i;
select is((
    select count(variation) from ramp
    where coverage = 0
), 0::bigint, 'a coverage of 0 lets nobody in');
select is((
    select count(variation) from ramp
    where coverage = 1
), 2000::bigint, 'a coverage of 1 lets everybody in');
select ok(
    (
        select count(variation) between 150 and 250 from ramp
        where coverage = 0.1
    )
    and (
        select count(variation) between 1010 and 1190 from ramp
        where coverage = 0.55
    ),
    'in between it lets in its share, within four standard deviations'
);
select is_empty(
    $$select l.i from ramp as l inner join ramp as h on l.i = h.i and l.coverage < h.coverage
    where l.variation is not null and h.variation is distinct from l.variation$$,
    'raising the coverage moves nobody who is in'
);

-- Player basis.
select awf.create_experiment(
    'players', 'Players', '[{"variation": "a", "percent": 50}, {"variation": "b", "percent": 50}]', 'player',
    p_start_at => '2025-01-01 00:00+00'
);
select awf.create_variation('players', 'a', '{"maxChoices": 3}');
select awf.create_variation('players', 'b', '{"maxChoices": 4}');
select awf.start_experiment('players');
select is(awf.assign('players', 's1'), null, 'by player, a session without a player hash is out');
select is(
    awf.turn_params('s1', null) -> 'exposures' @> '[{"experiment": "players"}]', false, 'and has no exposure in turn_params()'
);
select is_empty(
    $$select i from generate_series(1, 200) as i
    where awf.assign('players', 's' || i, encode(sha256('p1'), 'hex')) is distinct from
        awf.assign('players', null, encode(sha256('p1'), 'hex'))$$,
    'a player gets the same variation in every session'
);
select results_eq(
    $$select awf.assign('players', 's1', encode(sha256(convert_to('p' || i, 'UTF8')), 'hex')) as v, count(*) > 400
    from generate_series(1, 1000) as i group by v order by v$$,
    $$values ('a', true), ('b', true)$$, 'players split'
);

-- The edges of time.
select awf.create_experiment(
    'window', 'Window', '[{"variation": "a", "percent": 100}]', p_start_at => '2025-02-01 12:00:00+00',
    p_stop_at => '2025-02-02 12:00:00+00'
);
select awf.create_variation('window', 'a', '{"txtSentenceCap": 7}');
select awf.start_experiment('window');
select is(awf.assign('window', 's', p_at => t.at::timestamptz), t.variation, t.what)
from (
    values
    ('2025-02-01 11:59:59.999999+00', null, 'before start_at: out'), ('2025-02-01 12:00:00+00', 'a', 'at start_at: in'),
    ('2025-02-02 11:59:59.999999+00', 'a', 'just before stop_at: in'), ('2025-02-02 12:00:00+00', null, 'at stop_at: out'),
    (null, 'a', 'without a time it is now'), ('-infinity', null, 'in the beginning: out'), ('infinity', null, 'at the end: out')
) as t (at, variation, what);
select
    is(
        awf.turn_params('s', null, p_at => t.at::timestamptz) -> 'exposures' @> '[{"experiment": "window"}]', t.inside,
        'turn_params(), ' || t.what
    )
from (
    values
    ('2025-02-01 11:59:59.999999+00', false, 'before start_at: out'), ('2025-02-01 12:00:00+00', true, 'at start_at: in'),
    ('2025-02-02 11:59:59.999999+00', true, 'just before stop_at: in'), ('2025-02-02 12:00:00+00', false, 'at stop_at: out'),
    (null, true, 'without a time it is now')
) as t (at, inside, what);
select awf.stop_experiment('window');
select is(awf.assign('window', 's'), null, 'a stopped experiment assigns nobody');

-- Any moment of the past, whatever has happened since. Here the clock moves.
select awf.create_experiment(
    'past', 'Past', '[{"variation": "a", "percent": 50}, {"variation": "b", "percent": 50}]', p_start_at => '2025-01-10 00:00+00',
    p_settings => '{"coverage": 0.2, "hashSeed": "first"}'
);
select awf.create_variation('past', 'a', '{"streaming": true}');
select awf.create_variation('past', 'b', '{"streaming": false}');
create function pg_temp.set_now(p_now timestamptz)
returns void
language plpgsql
as $$
begin
    execute format(
        'create or replace function awf._now() returns timestamptz language sql stable parallel safe return timestamptz %L', p_now
    );
end;
$$;
create function pg_temp.expected(p_seed text, p_coverage double precision, p_unit text)
returns text
language sql
as $$
    select (array['a', 'b'])[
        1 + nullif(awf.choose_variation(awf.hash_unit(p_seed, p_unit, 2), awf.bucket_ranges(2, p_coverage, null)), -1)
    ]
$$;
select pg_temp.set_now('2025-01-11 00:00+00');
select awf.start_experiment('past');
select pg_temp.set_now('2025-01-12 00:00+00');
select awf.update_experiment('past', '{"coverage": 0.6}');
select pg_temp.set_now('2025-01-13 00:00+00');
select awf.open_phase('past', '{"hashSeed": "second", "coverage": 0.9, "condition": {"locale": "de-DE"}}');
select pg_temp.set_now('2025-01-14 00:00+00');
select awf.stop_experiment('past');
select pg_temp.set_now('2025-01-15 00:00+00');
select awf.start_experiment('past');
select awf.stop_experiment('past');
select pg_temp.set_now('2025-02-01 12:00+00');
create temporary table past as
select
    t.at,
    t.seed,
    t.coverage,
    t.what,
    's' || i.i as unit
from (
    values
    ('2025-01-09 23:59:59.999999+00'::timestamptz, null, null::double precision, 'before it began'),
    ('2025-01-10 00:00+00', 'first', 0.2, 'at its start, which lay in the past already'),
    ('2025-01-12 00:00+00', 'first', 0.6, 'from the change of the coverage on'),
    ('2025-01-12 23:59:59.999999+00', 'first', 0.6, 'up to the next phase'),
    ('2025-01-13 00:00+00', 'second', 0.9, 'from the next phase on'),
    ('2025-01-14 00:00+00', null, null, 'from the stop on'),
    (null, null, null, 'now')
) as t (at, seed, coverage, what)
cross join generate_series(1, 200) as i (i);
select
    is(count(*) filter (
        where awf.assign('past', p.unit, p_attributes => '{"locale": "de-DE"}', p_at => p.at)
        is distinct from pg_temp.expected(p.seed, p.coverage, p.unit)
    ), 0::bigint, 'the answer of the time: ' || p.what)
from past as p
group by p.what;
select
    is(count(*) filter (
        where awf.turn_params(p.unit, null, '{}', '{"locale": "de-DE"}', p.at) -> 'exposures' @> '[{"experiment": "past"}]'
        is distinct from (pg_temp.expected(p.seed, p.coverage, p.unit) is not null)
    ), 0::bigint, 'and turn_params() agrees: ' || p.what)
from past as p
group by p.what;
select is(
    (
        select count(distinct e.value -> 'id') from past as p
        cross join
            lateral jsonb_array_elements(awf.turn_params(p.unit, null, '{}', '{"locale": "de-DE"}', p.at) -> 'exposures') as e
        where e.value ->> 'experiment' = 'past'
    ), 4::bigint, 'each phase numbers its variations anew'
);
select
    is(
        awf.assign('past', p.unit, p_at => '2025-01-13 00:00+00'),
        null,
        'the condition of that phase keeps out who does not meet it'
    )
from past as p
where p.what = 'now' and p.unit = 's1';
select isnt(
    (
        select count(awf.assign('past', p.unit, p_at => '2025-01-10 00:00+00')) from past as p
        where p.what = 'now'
    ), 0::bigint,
    'and that of an earlier phase, which had none, nobody'
);

-- Layers.
select awf.create_layer('budgets', 'session');
select awf.create_experiment(
    'low', 'Low', '[{"variation": "a", "percent": 100}]', p_settings => '{"layer": "budgets", "slots": [0, 300]}'
);
select awf.create_variation('low', 'a', '{"temperature": 0.1}');
select awf.create_experiment(
    'high', 'High', '[{"variation": "a", "percent": 100}]', p_settings => '{"layer": "budgets", "slots": [300, 1000]}'
);
select awf.create_variation('high', 'a', '{"temperature": 0.2}');
select awf.start_experiment('low');
select awf.start_experiment('high');
create temporary table layer as
select
    i,
    awf.hash_unit('__budgets', 's' || i, 2) as n,
    awf.assign('low', 's' || i) is not null as low,
    awf.assign('high', 's' || i) is not null as high
from generate_series(1, 1000) as i;
select
    is_empty(
        'select i from layer where low is distinct from (n < 0.3) or high is distinct from (n >= 0.3)', 'each slot has one holder'
    );
select ok((select count(*) filter (where l.low) between 250 and 350 from layer as l), 'and its share of the units');
select is(awf.in_namespace('s1', n.namespace::jsonb), n.expected, 'in_namespace(): ' || n.what)
from (
    values
    ('["budgets", 0, 1]', true, 'all of a layer'), ('["budgets", 0.5, 0.5]', false, 'an empty part'), (null, false, 'NULL'),
    ('null', false, 'JSON null'), ('{}', false, 'an object'), ('[]', false, 'an empty list'), ('5', false, 'a number'),
    ('["budgets", "0", "1"]', false, 'bounds that are texts'), ('[1, 0, 1]', false, 'a layer that is a number'),
    ('["budgets", 0]', false, 'no upper bound'), ('["budgets", 0, 1e400]', true, 'a bound beyond every double')
) as n (namespace, expected, what);
select is(awf.in_namespace(null, '["budgets", 0, 1]'), false, 'in_namespace(): no unit');

-- Overrides.
select awf.create_experiment(
    'forced', 'Forced', '[{"variation": "a", "percent": 100}, {"variation": "b", "percent": 0}]', p_settings => '{"coverage": 0}'
);
select awf.create_variation('forced', 'a', '{"maxOutputTokens": 700}');
select awf.create_variation('forced', 'b', '{"maxOutputTokens": 800}');
select awf.create_variation('forced', 'c', '{"maxOutputTokens": 900}');
select awf.set_override('forced', 'qa', 'b', 'Ada tries it');
select is(awf.assign('forced', 'qa'), null, 'an override does nothing while the experiment is a draft');
select awf.start_experiment('forced');
select is(awf.assign('forced', 'qa'), 'b', 'an override counts, whatever the allocations and the coverage say');
select is(awf.assign('forced', 'other'), null, 'for its unit alone');
select is(
    awf.turn_params('qa', null) #> '{params,maxOutputTokens}', '800'::jsonb, 'a forced turn plays with the variation''s params'
);
select is(
    awf.turn_params('qa', null) #- '{forced,0,id}' -> 'forced', '[{"experiment": "forced", "variation": "b"}]'::jsonb,
    'it is listed as forced'
);
select is(awf.turn_params('qa', null) -> 'exposures' @> '[{"experiment": "forced"}]', false, 'and is no exposure');
select awf.set_override('forced', 'qa', 'c');
select is(awf.assign('forced', 'qa'), null, 'an override to a variation that the phase lacks is passed over');

-- Opting in.
select awf.create_experiment('asked', 'Asked', '[{"variation": "a", "percent": 100}]', p_settings => '{"optIn": true}');
select awf.create_variation('asked', 'a', '{"toolMaxCalls": 3}');
select awf.start_experiment('asked');
select is(awf.assign(e.key, 's1', p_opted_in => e.opted_in), e.variation, e.what)
from (
    values
    ('asked', null, null, 'who was not asked is not in an experiment that asks'), ('asked', false, null, 'nor who declined'),
    ('asked', true, 'a', 'who opted in is'), ('halves', null, 'b', 'the others take whoever was not asked'),
    ('halves', true, 'b', 'and whoever opted in'), ('halves', false, null, 'but nobody who declined')
) as e (key, opted_in, variation, what);
select is(
    awf.turn_params('s1', null, '{"mood": "grim"}', p_opted_in => false),
    '{"params": {"mood": "grim"}, "exposures": [], "forced": [], "invalid": [], "sticky": {}}'::jsonb,
    'a turn that declined keeps its defaults'
);
select
    is(
        awf.turn_params('s1', null, p_opted_in => o.opted_in) -> 'exposures' @> '[{"experiment": "asked"}]', o.inside,
        'turn_params() asks, too'
    )
from (values (true, true), (null, false)) as o (opted_in, inside);
-- Parameters of a turn. All others stop first.
select awf.stop_experiment(e.key) from awf.list_experiments('running') as e;
select is(
    awf.turn_params('s1', null),
    '{"params": {}, "exposures": [], "forced": [], "invalid": [], "sticky": {}}'::jsonb,
    'without an experiment there is nothing to say'
);
select is(
    awf.turn_params('s1', null, '{"maxOutputTokens": 1000, "mood": "grim"}') -> 'params',
    '{"maxOutputTokens": 1000, "mood": "grim"}'::jsonb, 'the defaults stand, also those that are no knobs'
);
select is(awf.turn_params('s1', null, null) -> 'params', '{}'::jsonb, 'NULL for the defaults means none');
select awf.create_experiment(
    'one', 'One', '[{"variation": "a", "percent": 100}]',
    p_guardrails => '{"maxOutputTokens": 2000, "maxActs": {"min": 2, "max": 8}}', p_start_at => '2025-01-10 00:00+00'
);
select awf.create_variation('one', 'a', '{"maxOutputTokens": 1500, "maxActs": 5, "temperature": 0.5, "streaming": true}');
select awf.start_experiment('one');
select is(
    awf.turn_params('s1', null, '{"maxOutputTokens": 1000, "maxChoices": 3}'),
    jsonb_build_object(
        'params', '{"maxOutputTokens": 1500, "maxActs": 5, "temperature": 0.5, "streaming": true, "maxChoices": 3}'::jsonb,
        'exposures', jsonb_build_array(
            jsonb_build_object(
                'experiment', 'one', 'variation', 'a',
                'id', (
                    select v.id from awf.variation_ids as v
                    where v.experiment_key = 'one'
                )
            )
        ),
        'forced', '[]'::jsonb, 'invalid', '[]'::jsonb, 'sticky', '{}'::jsonb
    ),
    'params of the variation overlay the defaults, and the exposure carries its number'
);
select is(
    awf.turn_params(p_session_id => 's1', p_player_hash => null, p_attributes => '{"country": "NZ"}') -> 'params',
    awf.turn_params('s1', null) -> 'params', 'attributes change nothing here'
);

-- Values that do not fit: put into the tables behind the functions' back, as a lower budget or a changed knob would.
update awf.experiment_variations set
    params = '{"maxOutputTokens": 2001, "maxActs": 1, "toolMaxCalls": 2000, "timeAdvanceTicks": 3.5, "txtSentenceCap": "5",
    "maxChoices": true, "temperature": 2.5, "streaming": 1, "zzz": 5}'
where experiment_key = 'one';
create temporary table turn as
select awf.turn_params('s1', null, '{"maxChoices": 3, "zzz": 4}') as outcome;
select is(
    (select t.outcome -> 'params' from turn as t),
    '{"maxOutputTokens": 2000, "maxActs": 2, "toolMaxCalls": 1000, "maxChoices": 3, "temperature": 2, "zzz": 4}'::jsonb,
    'values outside their bounds are clamped; of a wrong type or without a knob they leave the default, or nothing'
);
select results_eq(
    $$select i.value ->> 'knob', i.value -> 'value', i.value ->> 'reason', i.value -> 'used'
    from turn as t cross join jsonb_array_elements(t.outcome -> 'invalid') with ordinality as i order by i.ordinality$$,
    $$values
    ('maxActs', '1'::jsonb, 'out_of_range', '2'::jsonb),
    ('maxChoices', 'true', 'wrong_type', '3'),
    ('maxOutputTokens', '2001', 'out_of_range', '2000'),
    ('streaming', '1', 'wrong_type', 'null'),
    ('temperature', '2.5', 'out_of_range', '2'),
    ('timeAdvanceTicks', '3.5', 'wrong_type', 'null'),
    ('toolMaxCalls', '2000', 'out_of_range', '1000'),
    ('txtSentenceCap', '"5"', 'wrong_type', 'null'),
    ('zzz', '5', 'unknown_knob', '4')$$,
    'each is reported with its value, the reason and what is used instead, by knob'
);
select is(
    (select t.outcome #> '{invalid,0}' from turn as t),
    '{"experiment": "one", "variation": "a", "knob": "maxActs", "value": 1, "reason": "out_of_range", "used": 2}'::jsonb,
    'a report names the experiment and the variation'
);
select awf.set_setting('model_max_output_tokens', '1200');
select is(
    awf.turn_params('s1', null) #> '{params,maxOutputTokens}', '1200'::jsonb, 'a budget below the guardrail clamps'
);
select awf.set_setting('model_max_output_tokens', null);
update awf.experiments set guardrails = '{"maxActs": {"min": 200}}'
where key = 'one';
select is(
    awf.turn_params('s1', null) #> '{params,maxActs}', '100'::jsonb, 'where bounds contradict each other the upper one wins'
);
update awf.experiment_variations set params = '{"maxActs": 5.0}'
where experiment_key = 'one';
update awf.experiments set guardrails = '{}'
where key = 'one';
select is(
    awf.turn_params('s1', null) - 'exposures', '{"params": {"maxActs": 5.0}, "forced": [], "invalid": [], "sticky": {}}'::jsonb,
    '5.0 is an integer'
);

-- Two experiments on one turn.
select awf.create_experiment(
    'two', 'Two', '[{"variation": "x", "percent": 100}]', p_start_at => '2025-01-10 00:00+00',
    p_settings => '{"allowOverlap": true}'
);
select awf.create_variation('two', 'x', '{"maxActs": 9, "maxChoices": 4}');
select awf.start_experiment('two');
create temporary table both_ways as
select awf.turn_params('s1', null, '{"maxActs": 1}') as outcome;
select is(
    (select b.outcome -> 'params' from both_ways as b), '{"maxActs": 5.0, "maxChoices": 4}'::jsonb,
    'a knob that an earlier experiment has set is not set again'
);
select is(
    (select b.outcome -> 'invalid' from both_ways as b),
    '[{"experiment": "two", "variation": "x", "knob": "maxActs", "value": 9, "reason": "overlap", "used": 5.0}]'::jsonb,
    'the overlap is reported with the earlier value'
);
select results_eq(
    $$select e.value ->> 'experiment' from both_ways as b
    cross join jsonb_array_elements(b.outcome -> 'exposures') with ordinality as e order by e.ordinality$$,
    $$values ('one'), ('two')$$, 'both are exposures; at the same start the one made first applies first'
);
update awf.experiments set start_at = '2025-01-09 00:00+00'
where key = 'two';
select is(
    awf.turn_params('s1', null) -> 'params', '{"maxActs": 9, "maxChoices": 4}'::jsonb, 'the one that started first applies first'
);
update awf.experiment_variations set params = '{"maxActs": "9", "maxChoices": 4}'
where experiment_key = 'two';
select is(
    awf.turn_params('s1', null) -> 'params', '{"maxActs": 5.0, "maxChoices": 4}'::jsonb,
    'a value that was refused does not take the knob from a later experiment'
);
update awf.experiment_variations set params = '{"maxActs": 500}'
where experiment_key = 'two';
select is(
    awf.turn_params('s1', null) -> 'params', '{"maxActs": 100}'::jsonb, 'a value that was clamped does'
);

-- The attributes that clients may send.
select is(awf._config_document(false) ? 'exposureAttributes', false, 'the configuration names no attributes');
create temporary table config_before as
select awf.active_config() - 'revision' as config;
select awf.set_setting('exposure_attributes', '["country", "age"]');
select is(awf.active_config() -> 'exposureAttributes', '["country", "age"]', 'then those of the setting, in its order');
select is(
    awf.active_config() - 'revision' - 'exposureAttributes', (select c.config from config_before as c), 'beside all else'
);
select awf.set_setting('exposure_attributes', '[]');
select is(awf.active_config() - 'revision', (select c.config from config_before as c), 'an empty list leaves it as it was');

select finish();
rollback;
