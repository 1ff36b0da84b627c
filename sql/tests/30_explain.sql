-- Many units at once, why a unit is in or out, trying a definition out, and documents that are odd.
begin;
select plan(109);

set local timezone = 'Asia/Kolkata'; -- nothing here may depend on it
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
select pg_temp.set_now('2025-01-05 00:00+00');

-- Many units at once.
select awf.create_layer('budgets', 'player');
select
    awf.create_experiment(
        e.key,
        e.key,
        '[{"variation": "a", "percent": 30}, {"variation": "b", "percent": 70}]',
        e.basis,
        p_settings => e.settings::jsonb
    )
from (
    values
    ('plain', 'session', '{"allowOverlap": true}'),
    ('old-hash', 'session', '{"allowOverlap": true, "hashVersion": 1, "coverage": 0.6}'),
    ('layered', 'player', '{"allowOverlap": true, "layer": "budgets", "slots": [200, 700], "coverage": 0.8}'),
    ('targeted', 'session', '{"allowOverlap": true, "condition": {"locale": "de-DE"}}'),
    ('asking', 'session', '{"allowOverlap": true, "optIn": true}'),
    ('draft', 'session', '{"allowOverlap": true}')
) as e (key, basis, settings);
select
    awf.create_variation(e.key, 'a', '{"maxActs": 3}'),
    awf.create_variation(e.key, 'b', '{"maxActs": 4}')
from awf.list_experiments() as e
where e.key <> 'awf-default-test';
select awf.start_experiment(e.key)
from awf.list_experiments() as e
where e.key not in ('awf-default-test', 'draft');
select awf.set_override('plain', 's1', 'a');
select awf.set_override('plain', 's2', 'b');

create temporary table units as
select
    array[null, '', 'naïve', '😀', 's1', 's1', 's2'] || array(select 's' || i from generate_series(3, 500) as i) as sessions,
    array[null, '']
    || array(select encode(sha256(convert_to('p' || i, 'UTF8')), 'hex') from generate_series(1, 500) as i) as players;
select
    results_eq(
        format(
            'select m.unit_id, m.variation_key from units as u cross join awf.assign_many(%L, u.%I, %L, %L, %L) as m',
            c.key, c.units, c.attributes, c.at, c.opted_in
        ),
        format(
            'select x.unit_id, awf.assign(%L, %s, %L, %L, %L) from units as u
            cross join unnest(u.%I) with ordinality as x (unit_id, place) order by x.place',
            c.key,
            case c.units when 'sessions' then 'x.unit_id, null' else 'null, x.unit_id' end,
            c.attributes,
            c.at,
            c.opted_in,
            c.units
        ),
        'assign_many() is assign() for each unit: ' || c.what
    )
from (
    values
    ('plain', 'sessions', '{}', null, null, 'no condition, two overrides'),
    ('old-hash', 'sessions', '{}', null, null, 'hash version 1'),
    ('layered', 'players', '{}', null, null, 'players in a layer'),
    ('targeted', 'sessions', '{}', null, null, 'a condition that is not met'),
    ('targeted', 'sessions', '{"locale": "de-DE"}', null, null, 'a condition that is met'),
    ('asking', 'sessions', '{}', null, null, 'an experiment that asks'),
    ('asking', 'sessions', '{}', null, true, 'and was told yes'),
    ('plain', 'sessions', '{}', null, false, 'units that declined'),
    ('plain', 'sessions', '{}', '2025-01-04 00:00+00', null, 'before it began'),
    ('draft', 'sessions', '{}', null, null, 'a draft')
) as c (key, units, attributes, at, opted_in, what);
select
    isnt(
        (
            select count(m.variation_key)
            from units as u
            cross join awf.assign_many(c.key, u.sessions, c.attributes::jsonb, null, true) as m
        ),
        0::bigint, 'somebody is in: ' || c.key
    )
from (values ('plain', '{}'), ('old-hash', '{}'), ('targeted', '{"locale": "de-DE"}'), ('asking', '{}')) as c (key, attributes);
select ok(
    (select count(m.variation_key) between 150 and 250 from units as u cross join awf.assign_many('layered', u.players) as m),
    'in a layer, its share is in: half of the slots, four fifths of the units'
);
select is((select count(*) from awf.assign_many('plain', m.units)), 0::bigint, 'no units, no rows: ' || m.what)
from (values (array[]::text[], 'an empty list'), (null, 'NULL')) as m (units, what);
select throws_ok(m.call, m.code, m.message, m.message)
from (
    values
    ($$select awf.assign_many('nope', array['s'])$$, 'WF101', 'there is no experiment "nope"'),
    ($$select awf.assign_many('plain', array['s'], '[]')$$, 'WF001', 'attributes cannot be []'),
    ($$select awf.assign_many('layered', array[repeat('a', 64), 'player-1'])$$, 'WF001', 'a player hash of 8 characters is none'),
    ($$select awf.assign_many('layered', array[repeat('a', 63)])$$, 'WF001', 'a player hash of 63 characters is none'),
    ($$select awf.assign('layered', null, repeat('a', 65))$$, 'WF001', 'a player hash of 65 characters is none')
) as m (call, code, message);

-- Why. Times are UTC, whatever the session's zone.
create function pg_temp.explained(
    p_key text, p_session text, p_player text default null, p_attributes jsonb default '{}', p_at timestamptz default null,
    p_opted_in boolean default null
)
returns text[]
language sql
as $$
    select array_agg(format('%s %s %s: %s', e.step, case when e.passed then '+' else '-' end, e.check, e.detail) order by e.step)
    from awf.explain_assignment(p_key, p_session, p_player, p_attributes, p_at, p_opted_in) as e
$$;
select is(
    pg_temp.explained('draft', 's1'),
    array['1 - phase: the experiment has never started', '2 - result: out (phase)'],
    'explained: a draft'
);
select is(
    pg_temp.explained('plain', 's1', p_at => '2025-01-04 23:00+00'), array[
        '1 - phase: the experiment starts at 2025-01-05 00:00:00+00, after 2025-01-04 23:00:00+00', '2 - result: out (phase)'
    ], 'explained: too early'
);
select is(
    pg_temp.explained('plain', 's1'), array[
        '1 + phase: phase 1 since 2025-01-05 00:00:00+00, coverage 1',
        '2 + opt_in: the turn was not asked, and the experiment does not ask for it', '3 + unit: session id "s1"',
        '4 + override: variation "a" is forced on the unit', '5 + result: in, with variation "a" (override)'
    ], 'explained: an override'
);
select
    is(
        pg_temp.explained('plain', 's10'), array[
            '1 + phase: phase 1 since 2025-01-05 00:00:00+00, coverage 1',
            '2 + opt_in: the turn was not asked, and the experiment does not ask for it', '3 + unit: session id "s10"',
            '4 + override: no variation is forced on the unit', '5 + layer: the experiment is in no layer',
            '6 + sticky: units of this experiment are not sticky', '7 + condition: everybody takes part',
            format('8 + coverage: session id hashed with seed "plain" to %s: in %s', h.n, h.place),
            format('9 + result: in, with variation "%s" (assigned)', left(h.place, 1))
        ], 'explained: a unit that is in'
    )
from (
    select
        awf.hash_unit('plain', 's10', 2) as n,
        case when awf.hash_unit('plain', 's10', 2) < 0.3 then 'a [0, 0.3)' else 'b [0.3, 1)' end as place
) as h;
select
    is(
        (pg_temp.explained(c.key, c.session, c.player, c.attributes::jsonb, p_opted_in => c.opted_in))[c.step:], c.rows,
        'explained: ' || c.what
    )
from (
    values
    (
        'asking', 's1', null, '{}', null, 2,
        array['2 - opt_in: the turn was not asked, and the experiment asks for it', '3 - result: out (opt_in)'], 'nobody asked'
    ),
    (
        'plain', 's1', null, '{}', false, 2,
        array['2 - opt_in: the turn has opted out, and the experiment does not ask for it', '3 - result: out (opt_in)'],
        'declined'
    ),
    ('plain', null, null, '{}', null, 3, array['3 - unit: the turn has no session id', '4 - result: out (unit)'], 'no session'),
    ('layered', 's1', '', '{}', null, 3, array['3 - unit: the turn has no player hash', '4 - result: out (unit)'], 'no player'),
    (
        'targeted', 's1', null, '{"locale": "fr-FR"}', null, 7,
        array['7 - condition: attributes {"locale": "fr-FR"} against {"locale": "de-DE"}', '8 - result: out (condition)'],
        'not targeted'
    )
) as c (key, session, player, attributes, opted_in, step, rows, what);
select
    is(
        (pg_temp.explained('layered', null, p.player))[5:6], array[
            format(
                '5 - layer: the unit is at %s in layer "budgets", and the experiment has [0.2, 0.7)',
                awf.hash_unit('__budgets', p.player, 2)
            ), '6 - result: out (layer)'
        ], 'explained: another part of the layer'
    )
from units as u
cross join unnest(u.players) as p (player)
where p.player <> '' and awf.hash_unit('__budgets', p.player, 2) >= 0.7
order by p.player
limit 1;
select
    is(
        (pg_temp.explained('old-hash', p.session))[8:9], array[
            format(
                '8 - coverage: session id hashed with seed "old-hash" to %s: in no range of a [0, 0.18), b [0.3, 0.72)',
                awf.hash_unit('old-hash', p.session, 1)
            ), '9 - result: out (coverage)'
        ], 'explained: left out by the coverage'
    )
from units as u
cross join unnest(u.sessions) as p (session)
where p.session like 's%' and awf.hash_unit('old-hash', p.session, 1) >= 0.72
order by p.session
limit 1;
select is_empty(
    $$select x.unit_id from units as u cross join unnest(u.sessions) as x (unit_id)
    cross join lateral awf.explain_assignment('old-hash', x.unit_id) as e
    where e.check = 'result' and e.passed is distinct from (awf.assign('old-hash', x.unit_id) is not null)$$,
    'the result is that of assign()'
);
select pg_temp.set_now('2025-01-06 00:00+00');
select awf.update_experiment('plain', '{"coverage": 0.5}');
select pg_temp.set_now('2025-01-07 00:00+00');
select is(
    (pg_temp.explained('plain', 's1'))[1], '1 + phase: phase 1 since 2025-01-05 00:00:00+00, coverage 0.5',
    'explained: another coverage in the same phase'
);
select awf.stop_experiment('plain');
select is(
    (pg_temp.explained('plain', 's1'))[1:2],
    array['1 - phase: the experiment stopped at 2025-01-07 00:00:00+00, in phase 1', '2 - result: out (phase)'],
    'explained: a stop'
);
select throws_ok(m.call, m.code, m.message, m.message)
from (
    values
    ($$select awf.explain_assignment('nope', 's')$$, 'WF101', 'there is no experiment "nope"'),
    ($$select awf.explain_assignment('plain', 's', 'player-1')$$, 'WF001', 'a player hash of 8 characters is none'),
    ($$select awf.explain_assignment('plain', 's', p_attributes => '[]')$$, 'WF001', 'attributes cannot be []'),
    ($$select awf.simulate_assignment('nope')$$, 'WF101', 'there is no experiment "nope"'),
    ($$select awf.simulate_assignment('plain', 0)$$, 'WF001', 'cannot simulate 0 units'),
    ($$select awf.simulate_assignment('plain', 1000001)$$, 'WF001', 'cannot simulate 1000001 units'),
    ($$select awf.simulate_assignment('plain', null)$$, 'WF001', 'cannot simulate NULL units'),
    ($$select awf.simulate_assignment('plain', 10, '[]')$$, 'WF001', 'attributes cannot be []'),
    ($$select awf.verify_assignments('nope')$$, 'WF101', 'there is no experiment "nope"'),
    ($$select awf.verify_assignments('plain', '-1 second')$$, 'WF001', 'the grace cannot be -00:00:01'),
    ($$select awf.verify_assignments('plain', null)$$, 'WF001', 'the grace cannot be NULL')
) as m (call, code, message);

-- Trying a definition out.
select
    results_eq(
        format('select s.variation_key, s.expected_percent from awf.simulate_assignment(%L, 4000, %L) as s', c.key, c.attributes),
        format('values (%L, %s::numeric), (%L, %s), (null, %s)', 'a', c.a, 'b', c.b, c.rest),
        'expected: ' || c.what
    )
from (
    values
    ('draft', '{}', 30, 70, 0, 'a draft'), ('old-hash', '{}', 18, 42, 40, 'a coverage'),
    ('layered', '{}', 12, 28, 60, 'players in a layer'), ('targeted', '{}', 0, 0, 100, 'a condition that is not met'),
    ('targeted', '{"locale": "de-DE"}', 30, 70, 0, 'one that is met'), ('asking', '{}', 30, 70, 0, 'all have opted in'),
    ('plain', '{}', 15, 35, 50, 'one that was stopped, as it is defined now')
) as c (key, attributes, a, b, rest, what);
select
    is_empty(
        format(
            $$select s.variation_key from awf.simulate_assignment(%L, 4000) as s where abs(s.percent - s.expected_percent) > 3.5
        or s.percent <> s.units / 40.0$$, c.key
        ), 'what comes out is near (four standard deviations and more): ' || c.key
    )
from (values ('draft'), ('old-hash'), ('layered'), ('plain')) as c (key);
select is((select sum(s.units) from awf.simulate_assignment('draft', 1) as s), 1::numeric, 'a single unit is enough');
select awf.create_experiment('empty', 'Empty', '[]');
select results_eq(
    $$select s.variation_key, s.expected_percent, s.units from awf.simulate_assignment('empty', 10) as s$$,
    $$values (null::text, 100.000, 10::bigint)$$, 'nothing allocated, nobody in'
);

select awf.set_override('draft', 'unit-1', case awf.hash_unit('draft', 'unit-1', 2) < 0.3 when true then 'b' else 'a' end);
select is(
    (
        select s.variation_key from awf.simulate_assignment('draft', 1) as s
        where s.units = 1
    ),
    case awf.hash_unit('draft', 'unit-1', 2) < 0.3 when true then 'a' else 'b' end, 'nothing is forced on a unit that is made up'
);

-- Stored exposures. Those of sticky experiments have tests of their own.
create function pg_temp.expose(p_key text, p_unit text, p_variation text, p_at timestamptz)
returns void
language sql
as $$
    insert into awf.exposures (experiment_id, unit_id, phase, variation_id, locale_id, first_ts, event_id, player_hash)
    select v.experiment_id, p_unit, 1, v.id, 1, p_at, gen_random_uuid(), sha256('x')
    from awf.variation_ids as v
    where v.experiment_key = p_key and v.variation_key = p_variation
$$;
select pg_temp.expose('layered', m.unit_id, m.variation_key, '2025-01-05 12:00+00')
from units as u
cross join awf.assign_many('layered', u.players) as m
where m.variation_key is not null;
select is_empty($$select v.unit_id from awf.verify_assignments('layered') as v$$, 'players in a layer: all exposures agree');
create temporary table strangers as
select p.player
from units as u
cross join unnest(u.players) as p (player)
where p.player <> '' and awf.hash_unit('__budgets', p.player, 2) >= 0.7 and awf.hash_unit('layered', p.player, 2) < 0.2;
select pg_temp.expose('layered', s.player, 'a', '2025-01-05 12:00+00') from strangers as s;
select results_eq(
    $$select v.unit_id, v.stored, v.derived from awf.verify_assignments('layered') as v$$,
    $$select s.player, 'a', null from strangers as s order by s.player$$, 'found: who was not in its part of the layer'
);
-- Of two units that a coverage of 0.5 leaves out, it was set at 2025-01-06.
create temporary table left_out as
select
    i,
    's' || i as unit,
    row_number() over (order by i) as place
from generate_series(10, 500) as i
where awf.hash_unit('plain', 's' || i, 2) between 0.65 and 0.99
order by i
limit 3;
select pg_temp.expose('plain', l.unit, t.variation, t.at::timestamptz)
from left_out as l
inner join (
    values (1, 'a', '2025-01-05 23:59:30+00'), (2, 'a', '2025-01-06 00:00:30+00'), (3, 'b', '2025-01-06 00:00:30+00')
) as t (place, variation, at) on l.place = t.place;
select results_eq(
    $$select v.unit_id, v.derived from awf.verify_assignments('plain') as v$$,
    $$select l.unit, case l.place when 1 then 'b' end from left_out as l where l.place in (1, 2) order by l.place$$,
    'found: what both coverages refuse, with what the one of that moment gives'
);
select results_eq(
    $$select v.unit_id from awf.verify_assignments('plain', '0') as v$$, $$select l.unit from left_out as l order by l.place$$,
    'without grace the coverage of the very moment counts'
);

-- Documents by hand: what the save functions refuse, a table could still hold.
create function pg_temp.turn(p_changes jsonb, p_sticky jsonb default '{}', p_at timestamptz default '2025-01-15 00:00+00')
returns jsonb
language sql
as $$
    select awf._evaluate(
        jsonb_build_object(
            'version', 2, 'revision', 1,
            'knobs', '{"maxActs": {"type": "integer", "min": 1, "max": 10}, "verbose": {"type": "boolean", "min": null, "max": null}}'::jsonb,
            'experiments', jsonb_build_array('{
                "key": "e", "hashBasis": "session", "hashVersion": 2, "optIn": false, "sticky": true, "layer": null,
                "guardrails": {}, "params": {"v": {"maxActs": 4}}, "overrides": {},
                "phases": [{"phase": 1, "startAt": "2025-01-10T00:00:00+00:00", "coverage": 1, "hashSeed": "e", "condition": {},
                    "bucketVersion": 1, "minBucketVersion": 0, "ranges": [[0, 1]], "variations": [{"key": "v", "id": 7}]}]
            }'::jsonb || p_changes)
        ), 's', null, '{"maxActs": 2}', '{}', p_at, null, p_sticky
    )
$$;
create function pg_temp.phase(p_changes jsonb)
returns jsonb
language sql
as $$
    select jsonb_build_object('phases', jsonb_build_array('{"phase": 1, "startAt": "2025-01-10T00:00:00+00:00", "coverage": 1,
        "hashSeed": "e", "condition": {}, "bucketVersion": 1, "minBucketVersion": 0, "ranges": [[0, 1]],
        "variations": [{"key": "v", "id": 7}]}'::jsonb || p_changes))
$$;
select is(
    pg_temp.turn('{}'), '{"params": {"maxActs": 4}, "exposures": [{"experiment": "e", "variation": "v", "id": 7}], "forced": [],
    "invalid": [], "sticky": {"e__1": "v"}}'::jsonb, 'the document that is varied below'
);
select is(pg_temp.turn(d.changes) -> 'exposures' <> '[]', d.inside, 'inside or out: ' || d.what)
from (
    values
    (pg_temp.phase('{"hashSeed": ""}'), true, 'an empty seed'), ('{"hashVersion": 9}', false, 'a hash that nobody knows'),
    (pg_temp.phase('{"ranges": [], "variations": []}'), false, 'a stop'), ('{"phases": []}', false, 'no timeline'),
    (pg_temp.phase('{"condition": []}'), false, 'a condition that is a list'),
    (pg_temp.phase('{"condition": 5}'), false, 'or a number'),
    (pg_temp.phase('{"condition": null}'), false, 'or null'), ('{"layer": ["l", 0, 1]}', true, 'all of a layer'),
    ('{"layer": ["l", 1, 1]}', false, 'none of it'), (pg_temp.phase('{"id": null}'), true, 'more than is needed'),
    ('{"phases": [{"startAt": "-infinity", "variations": [{"key": "v", "id": null}], "ranges": [[0, 1]], "condition": {},
        "hashSeed": "e", "bucketVersion": 0, "minBucketVersion": 0}]}', true, 'without a beginning, and without a number')
) as d (changes, inside, what);
select is(pg_temp.turn(d.changes) -> 'params', '{"maxActs": 2}'::jsonb, 'params that do nothing: ' || d.what)
from (
    values
    ('{"params": {}}'::jsonb, 'none'), ('{"params": {"v": {}}}', 'none for the variation'), ('{"params": {"v": 5}}', 'a number'),
    ('{"params": {"v": null}}', 'null'), ('{"params": {"v": ["maxActs"]}}', 'a list'), ('{"params": 5}', 'a number for all'),
    ('{"params": {"v": {"maxActs": null}}}', 'null for a knob'), ('{"params": {"v": {"maxActs": "4"}}}', 'a text for a knob'),
    ('{"params": {"v": {"maxActs": [4]}}}', 'a list for a knob'),
    ('{"params": {"v": {"maxActs": {"min": 4}}}}', 'an object for a knob'),
    ('{"params": {"v": {"maxActs": 4.5}}}', 'a fraction for a whole number')
) as d (changes, what);
select is(pg_temp.turn(d.changes) #> '{params,maxActs}', d.used::jsonb, 'guardrails: ' || d.what)
from (
    values
    ('{"guardrails": {"maxActs": {"max": 3}}}'::jsonb, '3', 'a maximum'),
    ('{"guardrails": {"maxActs": {"min": 6}}}', '6', 'a minimum'),
    ('{"guardrails": {"maxActs": {"min": "6", "max": true}}}', '4', 'bounds that are no numbers bound nothing'),
    ('{"guardrails": {"maxActs": 3}}', '4', 'nor does a bare number'), ('{"guardrails": []}', '4', 'nor a list'),
    ('{"guardrails": null}', '4', 'nor null'), ('{"params": {"v": {"maxActs": 1e300}}}', '10', 'a huge value is clamped')
) as d (changes, used, what);
select is(pg_temp.turn('{}', d.sticky) #>> '{exposures,0,variation}', 'v', 'sticky maps that do nothing: ' || d.what)
from (
    values
    ('{"e__1": "w"}'::jsonb, 'another variation'),
    ('{"e__1": 5}', 'a number'),
    ('{"e__1": null}', 'null'),
    ('{"e__0": "w"}', 'an older one'),
    ('{"f__1": "w"}', 'another experiment''s')
) as d (sticky, what);
select is(
    awf._evaluate('{"experiments": []}', null, null, null, null, '2025-01-15 00:00+00'),
    '{"params": {}, "exposures": [], "forced": [], "invalid": [], "sticky": {}}'::jsonb, 'no experiments, and NULL for the rest'
);

-- Analysts may ask all of it; writers only what a turn needs.
set local client_min_messages = 'warning';
select awf.create_roles();
set local role awf_analyst;
select lives_ok(c.call, 'an analyst may call: ' || c.call)
from (
    values
    ($$select awf.assign_many('plain', array['s1'])$$), ($$select awf.explain_assignment('targeted', 's1')$$),
    ($$select awf.simulate_assignment('layered', 10)$$), ($$select awf.verify_assignments('plain')$$)
) as c (call);
set local role awf_writer;
select lives_ok(c.call, 'a writer may call: ' || c.call)
from (
    values
    ($$select awf.assign('plain', 's1', p_opted_in => true)$$),
    ($$select awf.turn_params('s1', null, p_at => '2025-01-06 00:00+00')$$),
    ($$select awf.in_namespace('s1', '["budgets", 0, 1]'), awf.sticky_assignments('[]', '[]')$$)
) as c (call);
select throws_ok(
    $$select awf.assign_many('plain', array['s1'])$$, '42501', 'permission denied for function assign_many',
    'but a writer cannot list a population'
);
reset role;

select finish();
rollback;
