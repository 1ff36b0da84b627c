-- Sticky units: who keeps a variation when a phase would give another, who is kept out, and what documents add.
begin;
select plan(51);

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

-- Documents. GrowthBook's vectors are run by the tests in Python; these are the rules that they leave open.
select
    is(
        awf.sticky_assignments(d.documents::jsonb, d.units::jsonb), d.expected::jsonb, 'documents: ' || d.what
    )
from (
    values
    (null, null, '{}', 'none'),
    ('[]', '[["session", "s"]]', '{}', 'an empty list'),
    (
        '[{"attributeName": "session", "attributeValue": "s", "assignments": {"e__0": "a"}}]',
        '[["session", "s"]]',
        '{"e__0": "a"}',
        'that of the unit'
    ),
    (
        '[{"attributeName": "session", "attributeValue": "t", "assignments": {"e__0": "a"}}]', '[["session", "s"]]', '{}',
        'that of another unit'
    ),
    (
        '[{"attributeName": "player", "attributeValue": "s", "assignments": {"e__0": "a"}}]', '[["session", "s"]]', '{}',
        'that of another attribute'
    ),
    (
        '{"x": {"attributeName": "session", "attributeValue": "s", "assignments": {"e__0": "a"}}}', '[["session", "s"]]',
        '{"e__0": "a"}', 'as the values of an object'
    ),
    (
        '[{"attributeName": "session", "attributeValue": "s", "assignments": {"e__0": "a", "f__0": "x"}},
        {"attributeName": "player", "attributeValue": "p", "assignments": {"e__0": "b", "e__1": "c"}}]',
        '[["session", "s"], ["player", "p"]]', '{"e__0": "b", "e__1": "c", "f__0": "x"}', 'the later unit wins'
    ),
    (
        '[{"attributeName": "session", "attributeValue": "s", "assignments": {"e__0": "a", "f__0": "x"}},
        {"attributeName": "player", "attributeValue": "p", "assignments": {"e__0": "b"}}]',
        '[["player", "p"], ["session", "s"]]', '{"e__0": "a", "f__0": "x"}', 'whatever the order of the documents'
    ),
    (
        '[5, null, [], {}, {"attributeName": "session", "attributeValue": "s"},
        {"attributeName": "session", "attributeValue": "s", "assignments": ["e__0"]},
        {"attributeName": "session", "attributeValue": "s", "assignments": {"e__0": 5, "f__0": null, "g__0": "x"}}]',
        '[5, null, [], ["session"], ["session", "s"]]', '{"g__0": "x"}', 'what has another form is passed over'
    ),
    (
        '[{"attributeName": "session", "attributeValue": null, "assignments": {"e__0": "a"}}]', '[["session", null]]', '{}',
        'a missing unit has none'
    ),
    ('5', '5', '{}', 'a number')
) as d (documents, units, expected, what);
select
    throws_ok(
        format('select awf.turn_params(%L, null, p_sticky => %L)', 's', d.documents), 'WF001',
        format('sticky documents cannot be %s', d.documents), 'turn_params() refuses ' || d.what
    )
from (values ('5', 'a number'), ('"x"', 'a text'), ('null', 'JSON null')) as d (documents, what);

-- An experiment with four phases. In the first, the units s1 to s200 are exposed; in the third, t1 to t50.
select pg_temp.set_now('2025-01-01 00:00+00');
select awf.create_experiment(
    'sticky', 'Sticky', '[{"variation": "a", "percent": 50}, {"variation": "b", "percent": 50}]', p_settings => '{"sticky": true}'
);
select awf.create_variation('sticky', 'a', '{"maxActs": 3}');
select awf.create_variation('sticky', 'b', '{"maxActs": 4}');
select awf.start_experiment('sticky');

create function pg_temp.expose(p_key text, p_units text[], p_at timestamptz)
returns void
language sql
as $$
    insert into awf.exposures (experiment_id, unit_id, phase, variation_id, locale_id, first_ts, event_id, player_hash)
    select e.id, m.unit_id, e.phase, v.id, 1, p_at, gen_random_uuid(), sha256('x')
    from awf.assign_many(p_key, p_units, p_at => p_at) as m
    inner join awf.experiments as e on e.key = p_key
    inner join awf.variation_ids as v on v.experiment_id = e.id and v.phase = e.phase and v.variation_key = m.variation_key
$$;
create temporary table units as
select
    kind,
    kind || i as unit
from generate_series(1, 200) as i
cross join (values ('s'), ('t')) as k (kind);
select pg_temp.expose('sticky', array(
    select u.unit from units as u
    where u.kind = 's'
), '2025-01-01 12:00+00');

-- What the split of a phase gives, without any memory.
create function pg_temp.split(p_percent_a double precision, p_unit text)
returns text
language sql
as $$
    select (array['a', 'b'])[
        1 + awf.choose_variation(
            awf.hash_unit('sticky', p_unit, 2), awf.bucket_ranges(2, 1, array[p_percent_a / 100, 1 - p_percent_a / 100])
        )
    ]
$$;
-- How many units of a kind get something else than expected, alone and all at once.
create function pg_temp.wrong(p_kind text, p_expected text)
returns text
language plpgsql
as $$
declare
    v_alone bigint;
    v_at_once bigint;
begin
    execute format(
        'select count(*) from units as u where u.kind = %L and awf.assign(%L, u.unit) is distinct from %s', p_kind, 'sticky', p_expected
    ) into v_alone;
    execute format(
        'select count(*) from awf.assign_many(%L, array(select unit from units where kind = %L)) as u (unit, variation)
        where u.variation is distinct from %s', 'sticky', p_kind, p_expected
    ) into v_at_once;
    return format('%s alone, %s at once', v_alone, v_at_once);
end;
$$;
select is(pg_temp.wrong('s', 'pg_temp.split(50, u.unit)'), '0 alone, 0 at once', 'phase 1: the split decides');

select pg_temp.set_now('2025-01-02 00:00+00');
select awf.open_phase('sticky', '{"allocations": [{"variation": "a", "percent": 10}, {"variation": "b", "percent": 90}]}');
select
    is(
        pg_temp.wrong('s', 'pg_temp.split(50, u.unit)'),
        '0 alone, 0 at once',
        'phase 2, keep: an exposed unit keeps its variation'
    );
select is(pg_temp.wrong('t', 'pg_temp.split(10, u.unit)'), '0 alone, 0 at once', 'others get what the new split says');
select isnt(
    pg_temp.wrong('s', 'pg_temp.split(10, u.unit)'),
    '0 alone, 0 at once',
    'which is not what the first one said, or this shows nothing'
);
select is(
    (
        select count(*)
        from units as u
        where
            u.kind = 's' and awf.assign('sticky', u.unit, p_at => '2025-01-01 11:00+00')
            is distinct from pg_temp.split(50, u.unit)
    ), 0::bigint, 'before their exposures units had nothing to keep'
);
select is(
    (
        select count(*)
        from units as u
        where
            awf.turn_params(u.unit, null) -> 'sticky'
            is distinct from jsonb_build_object('sticky__0', awf.assign('sticky', u.unit))
    ), 0::bigint,
    'turn_params() names what each unit is to keep'
);
select
    is(
        awf.turn_params('t1', null, p_sticky => jsonb_build_array(jsonb_build_object(
            'attributeName', 'session', 'attributeValue', 't1', 'assignments', jsonb_build_object('sticky__0', d.given)
        ))) #>> '{exposures,0,variation}', d.expected, 'turn_params() with a document: ' || d.what
    )
from (
    values ('a', 'a', 'it decides'),
    ('b', 'b', 'either way'),
    ('z', pg_temp.split(10, 't1'), 'a variation that is not there does not')
) as d (given, expected, what);
select is(
    awf.turn_params('s1', null, p_sticky => jsonb_build_array(jsonb_build_object(
        'attributeName', 'session', 'attributeValue', 's1', 'assignments', jsonb_build_object(
            'sticky__0', case pg_temp.split(50, 's1') when 'a' then 'b' else 'a' end
        )
    ))) #>> '{exposures,0,variation}', case pg_temp.split(50, 's1') when 'a' then 'b' else 'a' end,
    'a document counts before the exposures'
);

select pg_temp.set_now('2025-01-03 00:00+00');
select awf.open_phase(
    'sticky', '{"allocations": [{"variation": "a", "percent": 90}, {"variation": "b", "percent": 10}]}', 'reassign'
);
select
    is(
        pg_temp.wrong('s', 'pg_temp.split(90, u.unit)'),
        '0 alone, 0 at once',
        'phase 3, reassign: earlier assignments do not count'
    );
select pg_temp.expose('sticky', array(
    select u.unit from units as u
    where u.kind = 't'
    order by u.unit limit 50
), '2025-01-03 12:00+00');
delete from units
where kind = 't' and unit not in (select x.unit_id from awf.exposures as x);

select pg_temp.set_now('2025-01-04 00:00+00');
select awf.open_phase(
    'sticky', '{"allocations": [{"variation": "a", "percent": 30}, {"variation": "b", "percent": 70}]}', 'exclude'
);
select is(pg_temp.wrong('s', 'null'), '0 alone, 0 at once', 'phase 4, exclude: who was in phase 1 is out');
select is(pg_temp.wrong('t', 'null'), '0 alone, 0 at once', 'and so is who was in phase 3');
insert into units select
    'u',
    'u' || i
from generate_series(1, 200) as i;
select is(pg_temp.wrong('u', 'pg_temp.split(30, u.unit)'), '0 alone, 0 at once', 'who is new is in');
select is(
    (
        select count(*)
        from units as u
        where
            u.kind = 's' and awf.assign('sticky', u.unit, p_at => '2025-01-02 12:00+00')
            is distinct from pg_temp.split(50, u.unit)
    ), 0::bigint, 'the answers of phase 2 stay what they were'
);
select is(
    awf.turn_params('s1', null), '{"params": {}, "exposures": [], "forced": [], "invalid": [], "sticky": {}}'::jsonb,
    'a turn of a blocked unit is in no experiment'
);
select is(
    awf.turn_params('u1', null, p_sticky => '{"x": {"attributeName": "session", "attributeValue": "u1",
        "assignments": {"sticky__0": "not even there"}}}') -> 'exposures', '[]'::jsonb,
    'a document blocks with any assignment under an older version'
);

-- Why, in words.
select is(
    (
        select e.detail from awf.explain_assignment('sticky', 's1', p_at => '2025-01-02 12:00+00') as e
        where e.check = 'phase'
    ),
    'phase 2 since 2025-01-02 00:00:00+00, coverage 1', 'explained: the phase of the time'
);
select
    results_eq(
        format($$select e.check, e.passed, e.detail from awf.explain_assignment('sticky', 's1', p_at => %L) as e
    where e.check in ('sticky', 'result')$$, e.at),
        format('values (%L, %L::boolean, %L), (%L, %L, %L)', 'sticky', e.passed, e.detail, 'result', e.passed, e.result),
        'explained: ' || e.detail
    )
from (
    values
    (
        '2025-01-02 12:00+00',
        true,
        'the unit keeps variation "' || pg_temp.split(50, 's1') || '", which it had under bucket version 0',
        'in, with variation "' || pg_temp.split(50, 's1') || '" (sticky)'
    ),
    (
        '2025-01-03 12:00+00', true, 'the unit has no assignment under bucket version 1',
        'in, with variation "' || pg_temp.split(90, 's1') || '" (assigned)'
    ),
    (
        '2025-01-04 12:00+00', false, 'the unit was assigned under a bucket version below 2, which this phase excludes',
        'out (blocked)'
    )
) as e (at, passed, detail, result);

-- An override goes before it all, and a layer before what is kept.
select awf.set_override('sticky', 's1', 'a');
select is(awf.assign('sticky', 's1'), 'a', 'a variation that is forced goes before an assignment that blocks');
select is(
    (select m.variation_key from awf.assign_many('sticky', array['s1']) as m), 'a', 'for assign_many(), too'
);
select is(awf.turn_params('s1', null) -> 'sticky', '{}'::jsonb, 'and is not kept');

-- By player. The condition is not asked of those who are in already.
select pg_temp.set_now('2025-01-05 00:00+00');
select awf.stop_experiment('sticky');
select awf.create_experiment(
    'players', 'Players', '[{"variation": "a", "percent": 50}, {"variation": "b", "percent": 50}]', 'player',
    p_settings => '{"sticky": true}'
);
select awf.create_variation('players', 'a', '{"maxActs": 3}');
select awf.create_variation('players', 'b', '{"maxActs": 4}');
select awf.start_experiment('players');
select pg_temp.expose('players', array[repeat('ab', 32)], '2025-01-05 12:00+00');
create temporary table kept as
select awf.assign('players', null, repeat('ab', 32)) as variation;
select pg_temp.set_now('2025-01-06 00:00+00');
select awf.open_phase('players', '{"hashSeed": "another", "coverage": 0, "condition": {"locale": "de-DE"}}');
select
    is(
        awf.assign('players', 'any', repeat('ab', 32), a.attributes), k.variation,
        'a player who is in stays in, whatever the condition and the coverage say now'
    )
from kept as k
cross join (values ('{}'::jsonb), ('{"locale": "en-US"}')) as a (attributes);
select
    is(
        (select m.variation_key from awf.assign_many('players', array[repeat('ab', 32)]) as m),
        k.variation,
        'for assign_many(), too'
    )
from kept as k;
select
    is(
        awf.turn_params(null, repeat('ab', 32)) #>> '{exposures,0,variation}', k.variation, 'for turn_params(), too'
    )
from kept as k;
select is(
    awf.turn_params('s', repeat('cd', 32), p_sticky => jsonb_build_array(jsonb_build_object(
        'attributeName', 'player', 'attributeValue', repeat('cd', 32), 'assignments', '{"players__0": "b"}'::jsonb
    ))) #>> '{exposures,0,variation}', 'b', 'the unit "player" has documents of its own'
);
select is(awf.assign('players', 'any', repeat('cd', 32), '{"locale": "de-DE"}'), null, 'a new player is out');

-- Stored exposures agree with the timeline; and what was tampered with is found.
select is_empty($$select v.unit_id from awf.verify_assignments('players') as v$$, 'players: all exposures agree');
select is_empty($$select v.unit_id from awf.verify_assignments('sticky') as v$$, 'sticky: all exposures agree');
insert into awf.exposures (experiment_id, unit_id, phase, variation_id, locale_id, first_ts, event_id, player_hash)
select
    v.experiment_id,
    x.unit_id,
    x.phase,
    v.id,
    1,
    x.at::timestamptz,
    gen_random_uuid(),
    sha256('x')
from (
    values
    ('s1', 2, pg_temp.split(50, 's1'), '2025-01-02 12:00+00'),
    ('s2', 2, translate(pg_temp.split(50, 's2'), 'ab', 'ba'), '2025-01-02 12:00+00'),
    ('s3', 4, pg_temp.split(30, 's3'), '2025-01-04 12:00+00'),
    ('u1', 4, pg_temp.split(30, 'u1'), '2025-01-04 12:00+00'),
    ('u2', 4, translate(pg_temp.split(30, 'u2'), 'ab', 'ba'), '2025-01-04 12:00+00'),
    ('u3', 4, pg_temp.split(30, 'u3'), '2025-01-03 23:59:10+00'),
    ('u4', 4, pg_temp.split(30, 'u4'), '2025-01-03 23:58:50+00')
) as x (unit_id, phase, variation_key, at)
inner join awf.experiments as e on e.key = 'sticky'
inner join awf.variation_ids as v on e.id = v.experiment_id and x.phase = v.phase and x.variation_key = v.variation_key;
select results_eq(
    $$select v.unit_id, v.phase, v.derived from awf.verify_assignments('sticky') as v$$,
    $$values
    ('s2', 2, pg_temp.split(50, 's2')), -- should have kept its variation
    ('u4', 4, null), -- long before its phase began
    ('s3', 4, null), -- should have been kept out
    ('u2', 4, pg_temp.split(30, 'u2')) -- another split
    $$,
    'found: who did not keep, who was not kept out, who got another variation, who came too early'
);
select is(
    awf.assign('sticky', 's2', p_at => '2025-01-02 13:00+00'),
    pg_temp.split(50, 's2'),
    'of two exposures under one version the first counts'
);
select is(awf.assign('sticky', 'u2', p_at => u.at::timestamptz), u.variation, 'an exposure counts from its moment on')
from (
    values
    ('2025-01-04 11:59:59+00', pg_temp.split(30, 'u2')),
    ('2025-01-04 12:00+00', translate(pg_temp.split(30, 'u2'), 'ab', 'ba'))
) as u (at, variation);
select is(
    (select count(*) from awf.verify_assignments('sticky', '2 minutes')), 3::bigint, 'more grace forgives who came too early'
);

select finish();
rollback;
