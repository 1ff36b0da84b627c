-- Ingest: single events, arrays of events, the direct and the careful path, and everything that is refused.
begin;
select plan(359);

set local timezone = 'Pacific/Kiritimati'; -- UTC+14: the local day is never the day of the event
set local client_min_messages = 'warning';
select awf.create_roles();
set local role awf_owner;
create or replace function awf._now() returns timestamptz language sql stable parallel safe
return timestamptz '2025-02-01 12:00:00+00';
reset role;
select awf.create_experiment('e', 'E', '[{"variation": "a", "percent": 50}, {"variation": "b", "percent": 50}]');
select awf.create_variation('e', 'a');
select awf.create_variation('e', 'b');
select awf.create_experiment('f', 'F', '[{"variation": "x", "percent": 100}]');
select awf.create_variation('f', 'x');

-- A good event with some fields changed; a field changed to null is left out.
create function pg_temp.event(p_changes jsonb default '{}')
returns jsonb
language sql
as $$
    select jsonb_strip_nulls(jsonb_build_object(
        'ts', '2025-01-15T10:00:00Z', 'session_id', 's1', 'player_hash', repeat('ab', 32), 'world_ref', 'w1', 'adventure_ref', 'a1'
    ) || p_changes)
$$;
create function pg_temp.error_of(p_statement text)
returns text
language plpgsql
as $$
begin
    execute p_statement;
    return null;
exception
    when others then
        return sqlstate;
end;
$$;

-- The player hash. The first row is test case 1 of RFC 4231; the others were computed with Python's hmac module:
-- hmac.new(key.encode(), message.encode(), hashlib.sha256).hexdigest().
select throws_ok(
    $$select awf.hash_player('player-1')$$, 'WF205', 'no player hash key is stored in this database',
    'without a key nothing is hashed'
);
select throws_ok(
    format('select awf.record_turn(%L)', pg_temp.event('{"player_hash": null, "player_id": "p"}')), 'WF205',
    'event refused: no_hash_key: player_id cannot be hashed, no player hash key is stored in this database',
    'a player id cannot be taken without a key'
);
select results_eq(
    format('select * from awf.record_turns(%L)', jsonb_build_array(
        pg_temp.event('{"player_hash": null, "player_id": "p"}'), pg_temp.event('{"player_id": "p"}'),
        pg_temp.event('{"player_hash": null, "playerId": ""}')
    )),
    'values (1, 0, 2)', 'and costs the others of its batch nothing'
);
select results_eq(
    $$select reason, event ? 'player_id', complete from awf.rejected_events order by reason$$,
    $$values ('missing_player', false, false), ('no_hash_key', false, false)$$, 'it is kept aside without the id'
);
delete from awf.rejected_events;
delete from awf.turn_events;
delete from awf.ingest_log;
drop table pg_temp.awf_stage;
select
    throws_ok(
        format('select awf.set_player_hash_key(%L)', k.key),
        'WF001',
        format('a player hash key of %s bytes is too short', k.bytes),
        'a key is refused: ' || k.what
    )
from (
    values (null, 0, 'NULL'), ('', 0, 'the empty text'), ('0123456789abcde', 15, '15 bytes')
) as k (key, bytes, what);
create function pg_temp.hash_under(p_key text, p_message text)
returns text
language plpgsql
as $$
begin
    perform awf.set_player_hash_key(p_key);
    return awf.hash_player(p_message);
end;
$$;
select is(pg_temp.hash_under(h.key, h.message), h.hash, 'HMAC-SHA256 with ' || h.what)
from (
    values
    (
        repeat(chr(11), 20), 'Hi There', 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
        'the key of RFC 4231, test case 1'
    ),
    (
        '0123456789abcdef', 'player-1', '2dd1bea77039916ce351d68a73faaa2da5bd47e06fa064427e098a6896b9b77e',
        'the shortest key, 16 bytes'
    ),
    (
        repeat('k', 64), 'player-1', '566cf131ebbdf7c2d51c84e275bf96cefe325857b2680d77454540c4cf24b10a',
        'a key of one block, 64 bytes'
    ),
    (
        repeat('k', 65), 'player-1', 'd18e59622232e1bce869a9515ce01aa4cfc50454987541a760345354e63300e2',
        'a key beyond one block, 65 bytes'
    ),
    (
        repeat('k', 131),
        'This is a test using a larger than block-size key and a larger than block-size data. '
        || 'The key needs to be hashed before being used by the HMAC algorithm.',
        '084f467fdcf62fe72f1263bd99a1259552af14a08fa5990d73765eeb7fde6762', 'a long key and a long message'
    ),
    (
        'schlüssel-für-spieler', 'Jürgen 😀', '3af3e1d7339abfeb8a7d0e0a9a4f9bc958b4e57ef78c18420db1bfabcb543bec',
        'a key and a message beyond ASCII'
    )
) as h (key, message, hash, what);
select is(awf.hash_player(null), null, 'no player, no hash');
select throws_ok($$select awf.hash_player('')$$, 'WF001', 'a player id cannot be empty', 'a player without an id is refused');
select is((select count(*) from awf.player_hash_key), 1::bigint, 'there is one key at a time');
select awf.set_player_hash_key('0123456789abcdef');

-- The staging table, before there is one: nobody may bring his own.
set local role awf_writer;
select throws_ok(
    'select * from awf.ingest_batch()',
    'WF202',
    'this session has no staging table',
    'there is nothing to ingest before open_stage()'
);
create temporary table awf_stage (ts timestamptz, fault text);
select
    throws_ok(
        c.statement,
        'WF204',
        'pg_temp.awf_stage was not made by awf.open_stage()',
        'a table that the caller made is refused by ' || c.what
    )
from (
    values
    ('select awf.open_stage()', 'open_stage()'), ('select * from awf.ingest_batch()', 'ingest_batch()'),
    ('select * from awf.record_turns(''[]'')', 'record_turns()')
) as c (statement, what);
drop table pg_temp.awf_stage;
create temporary view awf_stage as select
    now() as ts,
    null::text as fault;
select throws_ok('select awf.open_stage()', 'WF204', null, 'a view that the caller made is refused by open_stage()');
select throws_ok('select * from awf.ingest_batch()', 'WF204', null, 'and by ingest_batch()');
drop view pg_temp.awf_stage;
select lives_ok('select awf.open_stage()', 'open_stage() makes the staging table');
select lives_ok('select awf.open_stage()', 'or leaves it as it is');
select results_eq('select * from awf.ingest_batch()', 'values (0, 0, 0)', 'an empty stage is no error');
select throws_ok(w.statement, '42501', null, 'a writer cannot ' || w.what)
from (
    values
    ('select * from pg_temp.awf_stage', 'read the stage'), ('update pg_temp.awf_stage set locale = ''en''', 'change the stage'),
    ('delete from pg_temp.awf_stage', 'empty the stage'), ('truncate pg_temp.awf_stage', 'truncate the stage'),
    ('insert into pg_temp.awf_stage (fault) values (null)', 'set the fault of a row'),
    ('alter table pg_temp.awf_stage add column more text', 'change the columns of the stage'),
    (
        'create trigger t before insert on pg_temp.awf_stage for each row execute function suppress_redundant_updates_trigger()',
        'put a trigger on the stage'
    ),
    ('drop table pg_temp.awf_stage', 'drop the stage')
) as w (statement, what);
reset role;
set local role awf_reader;
select throws_ok('insert into pg_temp.awf_stage (ts) values (now())', '42501', null, 'nobody else in the session may fill it');
reset role;

-- record_turn(): refusals. Each names the field and the value.
select
    throws_ok(
        format('select awf.record_turn(%L)', pg_temp.event(r.changes::jsonb)), 'WF201', 'event refused: ' || r.message,
        'record_turn() refuses ' || r.what
    )
from (
    values
    ('{"foo": 1}', 'unknown_field: there is no field "foo"', 'an unknown field'),
    ('{"extra": {"foo": 1}}', 'unknown_field: there is no field "extra"', 'further metrics outside metrics'),
    ('{"id": "17"}', 'bad_id: id is "17", not a UUID', 'an id that is no UUID'),
    ('{"ts": "yesterday-ish"}', 'bad_ts: ts is "yesterday-ish", not a time', 'a ts that is no time'),
    ('{"ts": "2025-01-32T00:00:00Z"}', 'bad_ts: ts is "2025-01-32T00:00:00Z", not a time', 'a day that does not exist'),
    ('{"ts": "infinity"}', 'bad_ts: ts is "infinity", not a time', 'an infinite ts'),
    ('{"session_id": {"a": 1}}', 'wrong_type: session_id is object, not a text', 'an object for a session'),
    ('{"worldRef": ["w"], "world_ref": null}', 'wrong_type: worldRef is array, not a text', 'a list for a world'),
    ('{"model": {"a": "b"}}', 'wrong_type: model is object, not a text', 'an object for a model'),
    ('{"session_id": null}', 'missing_session: session_id is missing', 'no session'),
    ('{"session_id": ""}', 'missing_session: session_id is missing', 'the empty session'),
    ('{"player_hash": null}', 'missing_player: player_hash is missing', 'no player'),
    ('{"player_hash": "player-1"}', 'bad_player_hash: player_hash is not 64 hexadecimal digits', 'a raw player id for the hash'),
    ('{"player_hash": ""}', 'bad_player_hash: player_hash is not 64 hexadecimal digits', 'the empty hash'),
    ('{"world_ref": null}', 'missing_world: world_ref is missing', 'no world'),
    ('{"world_ref": ""}', 'missing_world: world_ref is missing', 'the empty world'),
    ('{"adventure_ref": null}', 'missing_adventure: adventure_ref is missing', 'no adventure'),
    ('{"locale": "!!"}', 'bad_locale: locale is "!!", not one like en-US', 'a locale that is none'),
    ('{"locale": ""}', 'bad_locale: locale is "", not one like en-US', 'the empty locale'),
    ('{"locale": "en US"}', 'bad_locale: locale is "en US", not one like en-US', 'a locale with a blank'),
    ('{"model": ""}', 'too_long: model has 0 characters, not 1 to 200', 'the empty model'),
    ('{"metrics": 5}', 'bad_metric: metrics is number, not an object', 'metrics that are a number'),
    ('{"metrics": []}', 'bad_metric: metrics is array, not an object', 'metrics that are a list'),
    (
        '{"metrics": {"outputTokens": -1}}', 'bad_metric: outputTokens is -1; it must lie between 0 and 2147483647',
        'a negative metric'
    ),
    (
        '{"metrics": {"outputTokens": 2147483648}}',
        'bad_metric: outputTokens is 2147483648; it must lie between 0 and 2147483647', 'a metric beyond its range'
    ),
    (
        '{"metrics": {"turnLatencyMs": 2147483.648}}',
        'bad_metric: turnLatencyMs is 2147483.648; it must lie between 0 and 2147483.647', 'a latency beyond its range'
    ),
    (
        '{"metrics": {"bundleMs": 1e300}}', null, 'a latency far beyond its range'
    ),
    ('{"metrics": {"acts": 1.5}}', 'bad_metric: acts is 1.5, not a whole number', 'a fraction of an act'),
    ('{"metrics": {"acts": "3"}}', 'bad_metric: acts is of type string, not a number', 'a metric in quotes'),
    ('{"metrics": {"acts": true}}', 'bad_metric: acts is of type boolean, not a number', 'a metric that is true'),
    ('{"metrics": {"acts": [3]}}', 'bad_metric: acts is of type array, not a number', 'a metric that is a list'),
    ('{"metrics": {"failed": 1}}', 'bad_metric: failed is of type number, not true or false', 'failed as a number'),
    (
        '{"metrics": {"mood": "grim"}}', 'bad_extra: metric "mood" is of type string, not a number or boolean',
        'a further metric that is text'
    ),
    (
        '{"metrics": {"mood": {"a": 1}}}', 'bad_extra: metric "mood" is of type object, not a number or boolean',
        'a further metric that is an object'
    ),
    (
        '{"metrics": {"mood": [1, 2]}}', 'bad_extra: metric "mood" is of type array, not a number or boolean',
        'a further metric that is a list of numbers'
    ),
    (
        '{"experiment_key": "e", "variation_key": "z"}', 'unknown_variation: experiment "e" has no variation "z"',
        'a variation that is not there'
    ),
    (
        '{"experiment_key": "z", "variation_key": "a"}', 'unknown_variation: experiment "z" has no variation "a"',
        'an experiment that is not there'
    ),
    ('{"experiment_key": "e"}', 'unknown_variation: experiment "e" has no variation ""', 'an experiment without a variation'),
    ('{"assignments": "e/a"}', 'bad_assignments: assignments is string, not a list', 'assignments that are no list'),
    (
        '{"assignments": [{"experiment": "e", "variation": "a"}, {"experiment": "f", "variation": "y"}]}',
        'unknown_variation: experiment "f" has no variation "y"', 'a list of assignments with one that is not there'
    ),
    ('{"assignments": [5]}', 'unknown_variation: experiment "" has no variation ""', 'a list of numbers')
) as r (changes, message, what);
select
    throws_ok(
        format('select awf.record_turn(%L)', pg_temp.event(jsonb_build_object(l.field, repeat('x', 201)))), 'WF201',
        format('event refused: too_long: %s has 201 characters, %s 200', l.field, l.words),
        format('a %s of 201 characters is refused', l.field)
    )
from (
    values ('session_id', 'more than'), ('world_ref', 'more than'), ('adventure_ref', 'more than'), ('model', 'not 1 to')
) as l (field, words);
select throws_ok(
    format(
        'select awf.record_turn(%L)',
        pg_temp.event(jsonb_build_object(
            'metrics', (select jsonb_object_agg('metric' || i, i) from generate_series(1, 1000) as i)
        ))
    ), 'WF201', null, 'a thousand further metrics are too many'
);
select
    throws_ok(
        format('select awf.record_turn(%L)', n.document), 'WF201',
        format('event refused: not_an_object: the event is %s', n.kind), 'record_turn() refuses ' || n.what
    )
from (
    values ('5', 'number', 'a number'), ('[]', 'array', 'a list'), ('"x"', 'string', 'a text'), ('null', 'null', 'JSON null'),
    (null, 'NULL', 'NULL')
) as n (document, kind, what);
select
    throws_ok(
        format('select awf.record_turn(%L)', pg_temp.event(jsonb_build_object('ts', w.ts))), 'WF201',
        null, 'record_turn() refuses an event ' || w.what
    )
from (
    values
    ('2025-02-02T12:00:00.000001Z', 'a moment later than the window'),
    ('2015-02-04T11:59:59.999999Z', 'a moment earlier than the window')
) as w (ts, what);
select is((select count(*) from awf.turn_events), 0::bigint, 'nothing that was refused is stored');
select is((select count(*) from awf.rejected_events), 0::bigint, 'record_turn() says what is wrong and keeps nothing');

-- record_turn(): what is stored.
select is(
    awf.record_turn(
        '{"id": "01940000-0000-7000-8000-000000000001", "ts": "2025-01-15T10:00:00.123456Z", "session_id": "s1",
        "player_id": "player-1", "world_ref": "w1", "adventure_ref": "a1", "locale": "de-DE", "model": "m1",
        "assignments": [{"experiment": "f", "variation": "x", "id": 99}, {"experiment": "e", "variation": "b"}],
        "metrics": {"turnLatencyMs": 812.5, "modelLatencyMs": 700, "bundleMs": 0.0004, "bundleTokens": 10, "outputTokens": 20,
        "retries": 0, "fallbacks": 1, "toolCalls": 2, "acts": 3, "choices": 4, "timeAdvanceTicks": 2147483647, "failed": true,
        "mood": 0.5, "won": false}}'
    ),
    '01940000-0000-7000-8000-000000000001'::uuid, 'record_turn() returns the id of the event'
);
select results_eq(
    'select id, ts, session_id, player_hash, world_ref, adventure_ref, locale, experiment_key, variation_key, metrics
    from awf.analytics_events',
    $$values (
        '01940000-0000-7000-8000-000000000001'::uuid, timestamptz '2025-01-15 10:00:00.123456+00', 's1',
        '2dd1bea77039916ce351d68a73faaa2da5bd47e06fa064427e098a6896b9b77e', 'w1', 'a1', 'de-DE', 'f', 'x',
        '{"turnLatencyMs": 812.5, "modelLatencyMs": 700, "bundleMs": 0, "bundleTokens": 10, "outputTokens": 20, "retries": 0,
        "fallbacks": 1, "toolCalls": 2, "acts": 3, "choices": 4, "timeAdvanceTicks": 2147483647, "failed": true, "model": "m1",
        "mood": 0.5, "won": false}'::jsonb
    )$$,
    'the view shows the event as it was given, the player hashed, the first experiment named'
);
select results_eq(
    'select turn_latency_us, model_latency_us, bundle_us, extra, failed, cardinality(assignments) from awf.turn_events',
    $$values (812500, 700000, 0, '{"mood": 0.5, "won": false}'::jsonb, true, 2)$$,
    'latencies are stored in whole microseconds, further metrics in extra, all experiments in assignments'
);
select is(
    awf.record_turn(pg_temp.event('{"id": "01940000-0000-7000-8000-000000000001", "ts": "2025-01-15T10:00:00.123456Z"}')),
    '01940000-0000-7000-8000-000000000001'::uuid, 'an event that is stored already is no error'
);
select is((select count(*) from awf.turn_events), 1::bigint, 'and is not stored again');
select is((select locale from awf.analytics_events), 'de-DE', 'nor changed');
delete from awf.turn_events;

-- Defaults.
create temporary table made as select awf.record_turn(pg_temp.event('{"ts": null}')) as id;
select is((select substr(m.id::text, 15, 1) from made as m), '7', 'an event without an id gets a UUIDv7');
select matches((select substr(m.id::text, 20, 1) from made as m), '[89ab]', 'with the variant of RFC 9562');
select
    ok(
        abs(extract(epoch from clock_timestamp()) * 1000 - ('x' || substr(replace(m.id::text, '-', ''), 1, 12))::bit(48)::bigint)
        < 60000,
        'which begins with the time in milliseconds'
    )
from made as m;
select results_eq(
    'select ts, locale, experiment_key, variation_key, metrics from awf.analytics_events',
    $$values (timestamptz '2025-02-01 12:00:00+00', 'en-US', null::text, null::text, '{}'::jsonb)$$,
    'without a ts it happened now, without a locale in en-US, without an experiment in none'
);
delete from awf.turn_events;
select awf.record_turn(
    '{"sessionId": "s1", "playerId": "player-1", "worldRef": "w1", "adventureRef": "a1", "experimentKey": "e",
    "variationKey": "a",    "ts": "2025-01-15 10:00", "createdAt": "2020-01-01", "metrics": null, "assignments": null, "locale": null}'
);
select results_eq(
    'select ts, session_id, world_ref, adventure_ref, locale, experiment_key, variation_key, created_at = now()
    from awf.analytics_events',
    $$values (timestamptz '2025-01-15 10:00:00+00', 's1', 'w1', 'a1', 'en-US', 'e', 'a', true)$$,
    'camelCase is the same; a ts without a zone is UTC in every session; null is as good as left out'
);
delete from awf.turn_events;
select awf.record_turn(pg_temp.event(jsonb_build_object('player_hash', repeat('AB', 32), 'metrics', '{"model": "m2"}'::jsonb)));
select results_eq(
    'select player_hash, metrics from awf.analytics_events', $$values (repeat('ab', 32), '{"model": "m2"}'::jsonb)$$,
    'a hash in capitals is the same bytes; a model among the metrics is the model'
);
delete from awf.turn_events;
select awf.record_turn(
    pg_temp.event() || '{"metrics": {"turn_latency_ms": 1.5, "output_tokens": 7, "mood_swings": 2, "acts": null, "mood": null}}'
);
select is(
    (select metrics from awf.analytics_events), '{"turnLatencyMs": 1.5, "outputTokens": 7, "mood_swings": 2}'::jsonb,
    'standard metrics may be in snake_case; a null is no metric'
);
delete from awf.turn_events;
select awf.record_turn(pg_temp.event('{"metrics": {"turnLatencyMs": 0.0015, "modelLatencyMs": 2147483.647}}'));
select results_eq(
    'select turn_latency_us, model_latency_us from awf.turn_events', 'values (2, 2147483647)',
    'half a microsecond is rounded up; the largest latency is accepted'
);
delete from awf.turn_events;
select
    is(
        pg_temp.error_of(format('select awf.record_turn(%L)', pg_temp.event(jsonb_build_object('ts', w.ts)))), null,
        'record_turn() accepts an event ' || w.what
    )
from (
    values ('2025-02-02T12:00:00Z', 'at the very end of the window'), ('2015-02-04T12:00:00Z', 'at its very beginning')
) as w (ts, what);
select
    is(
        pg_temp.error_of(format('select awf.record_turn(%L)', pg_temp.event(jsonb_build_object('locale', l.locale)))), null,
        format('the locale %s is accepted', l.locale)
    )
from (values ('en'), ('pt-BR'), ('zh-Hant-TW'), ('de-CH-1996')) as l (locale);
delete from awf.turn_events;

-- The names that are written out where documents are read are those of the table.
select is(
    awf._metric_names(), array(
        select m.name from awf.metrics as m
        where m.id > 0
        order by m.id
    ),
    'the names of the metrics are those of _metric_names(), in its order'
);
select is(
    awf._metric_values((select jsonb_object_agg(m.name, m.id) from awf.metrics as m)),
    array(
        select (m.id * m.scale)::bigint from awf.metrics as m
        where m.id > 0
        order by m.id
    ),
    'each metric is read by its name and in its scale'
);
select
    is(
        (awf._metric_values(jsonb_build_object(v.name, v.value::jsonb)))[v.place], v.read,
        format('%s %s is read as %s', v.name, v.value, v.read)
    )
from (
    values
    ('bundleMs', 3, '0.0005', 1::bigint), ('bundleMs', 3, '2147483.647', 2147483647), ('bundleMs', 3, '2147483.6471', -1),
    ('bundleMs', 3, '-0.0001', -1), ('acts', 9, '3.0', 3), ('acts', 9, '3.5', -1), ('acts', 9, '2147483648', -1),
    ('acts', 9, '1e300', -1), ('acts', 9, '"3"', -1), ('choices', 10, '0', 0)
) as v (name, place, value, read);

-- Midnight is UTC's.
select awf.record_turn(pg_temp.event('{"ts": "2025-01-15T23:59:59.999999Z"}'));
select awf.record_turn(pg_temp.event('{"ts": "2025-01-16T00:00:00Z"}'));
select awf.record_turn(pg_temp.event('{"ts": "2025-01-16T13:59:59+14:00"}'));
select results_eq(
    'select tableoid::regclass::text, ts from awf.turn_events order by ts',
    $$values ('awf.turn_events_20250115', timestamptz '2025-01-15 23:59:59+00'),
    ('awf.turn_events_20250115', timestamptz '2025-01-15 23:59:59.999999+00'),
    ('awf.turn_events_20250116', timestamptz '2025-01-16 00:00:00+00')$$,
    'the last microsecond of a day and the first of the next lie in their own partitions'
);
select results_eq(
    $$select distinct l.day, e.tableoid::regclass::text from awf.turn_events as e inner join awf.ingest_log as l using (batch_id)
    order by 1$$,
    $$values (date '2025-01-15', 'awf.turn_events_20250115'), (date '2025-01-16', 'awf.turn_events_20250116')$$,
    'and belong to batches of their own days'
);
delete from awf.turn_events;

-- The log of single events.
select results_eq(
    $$select path, rows, duplicates, role_name, client = current_setting('application_name'), rolled_up_at, count(*)
    from awf.ingest_log where day = '2025-01-15' group by 1, 2, 3, 4, 5, 6$$,
    $$values ('insert', null::integer, null::integer, 'postgres', true, null::timestamptz, 1::bigint)$$,
    'all single events of a transaction and a day are one batch, which names who sent it'
);

-- INSERT on the view.
set local role awf_writer;
select throws_ok(
    $$insert into awf.analytics_events (session_id, player_hash, world_ref, adventure_ref)
    values ('s1', 'player-1', 'w1', 'a1')$$,
    'WF201',
    'event refused: bad_player_hash: player_hash is not 64 hexadecimal digits',
    'INSERT refuses what record_turn() refuses'
);
select lives_ok(
    $$insert into awf.analytics_events (id, ts, session_id, player_hash, world_ref, adventure_ref, locale, experiment_key,
    variation_key, metrics) values
    ('01940000-0000-7000-8000-000000000002', '2025-01-17 10:00+00', 's1', repeat('ab', 32), 'w1', 'a1', 'fr', 'e', 'b',
    '{"turnLatencyMs": 12.345, "failed": false, "model": "m1", "mood": 1}'),
    (null, null, 's2', repeat('cd', 32), 'w1', 'a1', null, null, null, null)$$,
    'a writer inserts rows into the view'
);
select throws_ok(
    $$insert into awf.analytics_events (session_id, player_hash, world_ref, adventure_ref)
    values ('s', repeat('ab', 32), 'w', 'a') returning id$$,
    '42501', null, 'but cannot have them returned'
);
reset role;
select results_eq(
    'select ts, session_id, locale, experiment_key, variation_key, metrics from awf.analytics_events order by ts',
    $$values (timestamptz '2025-01-17 10:00+00', 's1', 'fr', 'e', 'b',
    '{"turnLatencyMs": 12.345, "model": "m1", "mood": 1}'::jsonb),
    (timestamptz '2025-02-01 12:00+00', 's2', 'en-US', null, null, '{}')$$,
    'rows of the view come back as they went in, with id and ts filled in where they were NULL'
);
select is(
    (
        select role_name from awf.ingest_log
        order by batch_id desc limit 1
    ), 'awf_writer', 'the log names the writer, not the owner'
);
create temporary table copied as table awf.analytics_events;
insert into awf.analytics_events (
    id, ts, session_id, player_hash, world_ref, adventure_ref, locale, experiment_key, variation_key, metrics
)
select
    c.id,
    c.ts,
    c.session_id,
    c.player_hash,
    c.world_ref,
    c.adventure_ref,
    c.locale,
    c.experiment_key,
    c.variation_key,
    c.metrics
from copied as c;
select is((select count(*) from awf.analytics_events), 2::bigint, 'inserting the same rows again changes nothing');
delete from awf.turn_events;

-- record_turns().
select
    throws_ok(
        format('select awf.record_turns(%L)', t.turns), 'WF201', format('turns are of type %s, not an array', t.kind),
        'record_turns() takes an array, not ' || t.what
    )
from (
    values ('{}', 'object', 'an object'), ('5', 'number', 'a number'), ('null', 'null', 'JSON null'), (null, 'NULL', 'NULL')
) as t (turns, kind, what);
select results_eq($$select * from awf.record_turns('[]')$$, 'values (0, 0, 0)', 'no turns are no error');
create temporary table batch as
select
    jsonb_agg(pg_temp.event(jsonb_build_object(
        'id', format('01940000-0000-7000-8000-%s', lpad(i::text, 12, '0')), 'session_id', 's' || i,
        'ts', timestamptz '2025-01-15 23:59:55+00' + i * interval '1 second', 'metrics', jsonb_build_object('outputTokens', i)
    ))) as turns
from generate_series(1, 10) as i;
select results_eq('select r.* from batch as b, awf.record_turns(b.turns) as r', 'values (10, 0, 0)', 'a batch is accepted');
select results_eq(
    'select r.* from batch as b, awf.record_turns(b.turns) as r', 'values (0, 10, 0)', 'the same batch again is all duplicates'
);
select results_eq(
    'select count(*), sum(output_tokens) from awf.turn_events', 'values (10::bigint, 55::bigint)', 'and changes nothing'
);
select results_eq(
    $$select day, rows, duplicates from awf.ingest_log where path = 'careful' order by batch_id$$,
    $$values (date '2025-01-15', 4, 0), (date '2025-01-16', 6, 0), (date '2025-01-15', 0, 4), (date '2025-01-16', 0, 6)$$,
    'the log counts both, by day'
);
select results_eq(
    'select r.* from batch as b, awf.record_turns(jsonb_build_array(b.turns -> 0, b.turns -> 1, pg_temp.event())) as r',
    'values (1, 2, 0)', 'known and new events in one batch'
);
select results_eq(
    $$select r.* from awf.record_turns(jsonb_build_array(
        pg_temp.event('{"id": "01940000-0000-7000-8000-000000000abc"}'), pg_temp.event('{"id": "01940000-0000-7000-8000-000000000abc"}')
    )) as r$$,
    'values (1, 1, 0)', 'an event that stands twice in a batch is stored once'
);
select results_eq(
    $$select r.* from batch as b, awf.record_turns(
        b.turns || pg_temp.event('{"session_id": "s2"}')
        || pg_temp.event('{"id": "01940000-0000-7000-8000-000000000def"}') || pg_temp.event('{"id": "01940000-0000-7000-8000-000000000def"}')
        || pg_temp.event('{"locale": "!!"}')
    ) as r$$,
    'values (2, 11, 1)', 'known, new, repeated and bad events in one batch'
);
select results_eq(
    $$select r.* from awf.record_turns(jsonb_build_array(
        pg_temp.event('{"id": "01940000-0000-7000-8000-000000000def"}'),
        pg_temp.event('{"id": "01940000-0000-7000-8000-000000000012", "ts": "2025-01-16T11:00:00Z"}'),
        pg_temp.event('{"id": "01940000-0000-7000-8000-000000000012", "ts": "2025-01-16T11:00:00Z"}')
    )) as r$$,
    'values (1, 2, 0)', 'one known, and one of another day twice'
);
delete from awf.rejected_events;
select is((select count(*) from awf.rejected_events), 0::bigint, 'a duplicate is not a rejected event');
delete from awf.turn_events;

-- record_turns(): each reason once, beside good events.
create temporary table bad_turns as
select
    b.event,
    b.reason
from (
    values
    ('5'::jsonb, 'not_an_object'),
    ('[]', 'not_an_object'),
    ('null', 'not_an_object'),
    (pg_temp.event('{"foo": "bar"}'), 'unknown_field'),
    (pg_temp.event('{"id": "17"}'), 'bad_id'),
    (pg_temp.event('{"ts": "soon"}'), 'bad_ts'),
    (pg_temp.event('{"ts": "2030-01-01T00:00:00Z"}'), 'ts_out_of_window'),
    (pg_temp.event('{"ts": "2000-01-01T00:00:00Z"}'), 'ts_out_of_window'),
    (pg_temp.event('{"session_id": null}'), 'missing_session'),
    (pg_temp.event('{"player_hash": null}'), 'missing_player'),
    (pg_temp.event('{"player_hash": "abc"}'), 'bad_player_hash'),
    (pg_temp.event('{"world_ref": null}'), 'missing_world'),
    (pg_temp.event('{"adventure_ref": null}'), 'missing_adventure'),
    (pg_temp.event('{"locale": "!"}'), 'bad_locale'),
    (pg_temp.event(jsonb_build_object('session_id', repeat('x', 201))), 'too_long'),
    (pg_temp.event('{"metrics": {"acts": -1}}'), 'bad_metric'),
    (pg_temp.event('{"metrics": {"acts": "many"}}'), 'bad_metric'),
    (pg_temp.event('{"metrics": {"mood": "grim"}}'), 'bad_extra'),
    (pg_temp.event('{"assignments": 5}'), 'bad_assignments'),
    (pg_temp.event('{"experiment_key": "e", "variation_key": "z"}'), 'unknown_variation')
) as b (event, reason);
create function pg_temp.reason_of(p_event jsonb)
returns text
language plpgsql
as $$
declare
    v_counts record;
begin
    delete from awf.rejected_events;
    select r.* into v_counts from awf.record_turns(jsonb_build_array(pg_temp.event(), p_event, pg_temp.event())) as r;
    return (
        select format('%s (%s accepted, %s duplicate, %s rejected)', r.reason, v_counts.accepted, v_counts.duplicate, v_counts.rejected)
        from awf.rejected_events as r
    );
exception
    when others then
        return format('%s: %s', sqlstate, sqlerrm);
end;
$$;
select
    is(
        pg_temp.reason_of(b.event), b.reason || ' (2 accepted, 0 duplicate, 1 rejected)',
        format('a bad event costs the others nothing and is kept: %s, %s', b.reason, left(b.event::text, 20))
    )
from bad_turns as b;
delete from awf.turn_events;
delete from awf.rejected_events;
select results_eq(
    $$select r.* from awf.record_turns(
        (select jsonb_agg(b.event) from bad_turns as b where jsonb_typeof(b.event) = 'object')
    ) as r$$,
    'values (0, 0, 17)', 'a batch of bad events only is rejected as a whole'
);
select results_eq(
    'select reason, count(*) from awf.rejected_events group by reason order by reason collate "C"',
    $$select reason, count(*) from bad_turns where jsonb_typeof(event) = 'object' group by reason order by reason collate "C"$$,
    'each with its reason'
);
select is_empty($$select id from awf.rejected_events where detail = ''$$, 'and with a detail');
select is(
    (
        select count(*) from awf.rejected_events
        where player_hash = decode(repeat('ab', 32), 'hex')
    ), 15::bigint,
    'and with its player, where that was readable'
);
select is(
    (
        select detail from awf.rejected_events
        where reason = 'unknown_variation'
    ), 'experiment "e" has no variation "z"',
    'the detail names the field and the value'
);
delete from awf.rejected_events;

-- What is kept of a rejected event: no free text, no player id.
create function pg_temp.kept_of(p_event jsonb)
returns text
language plpgsql
as $$
begin
    delete from awf.rejected_events;
    perform awf.record_turns(jsonb_build_array(p_event));
    return (select concat_ws(' ', r.detail, r.event::text) from awf.rejected_events as r);
exception
    when others then
        return format('SECRET? %s: %s', sqlstate, sqlerrm);
end;
$$;
select ok(coalesce(pg_temp.kept_of(pg_temp.event(k.changes::jsonb)) !~ k.secret, false), 'a rejected event keeps no ' || k.what)
from (
    values
    ('{"player_id": "SECRET", "ts": "soon"}', 'player id', 'SECRET'),
    ('{"playerId": "SECRET", "player_hash": null, "world_ref": null}', 'player id in camelCase', 'SECRET'),
    ('{"player_hash": "SECRET"}', 'player id in the place of the hash', 'SECRET'),
    ('{"playerHash": "SECRET", "player_hash": null}', 'player id in the place of the hash in camelCase', 'SECRET'),
    ('{"answer": "SECRET"}', 'text of an unknown field', 'SECRET'),
    ('{"answer": ["SECRET"]}', 'list of texts of an unknown field', 'SECRET'),
    ('{"answer": {"a": "SECRET"}}', 'object of an unknown field', 'SECRET'),
    ('{"userId": 4711}', 'number of an unknown field', '4711'),
    ('{"isAdmin": true}', 'truth value of an unknown field', 'true'),
    ('{"metrics": {"mood": "SECRET"}}', 'text of a metric', 'SECRET'),
    ('{"metrics": {"acts": "SECRET"}}', 'text of a standard metric', 'SECRET'),
    ('{"metrics": {"failed": "SECRET"}}', 'text of the metric failed', 'SECRET'),
    ('{"metrics": {"mood": {"a": "SECRET"}}}', 'object of a metric', 'SECRET'),
    ('{"metrics": {"mood": ["SECRET"]}}', 'list of a metric', 'SECRET'),
    ('{"metrics": "SECRET"}', 'text in the place of the metrics', 'SECRET'),
    ('{"metrics": ["SECRET"]}', 'list in the place of the metrics', 'SECRET'),
    ('{"assignments": "SECRET"}', 'text in the place of the assignments', 'SECRET'),
    ('{"assignments": [{"experiment": "e", "variation": "z", "player_id": "SECRET"}]}', 'other field of an assignment', 'SECRET'),
    ('{"assignments": ["SECRET"]}', 'list of texts in the place of the assignments', 'SECRET'),
    ('{"extra": "SECRET"}', 'text in the place of extra', 'SECRET'),
    ('{"extra": {"mood": "SECRET"}}', 'text in extra', 'SECRET')
) as k (changes, what, secret);
select matches(
    pg_temp.kept_of(pg_temp.event('{"foo": "x", "count": 5, "metrics": {"acts": 3, "won": true, "mood": "grim"}}')),
    '"acts": 3', 'numbers are kept'
);
select is(
    (select r.event -> 'metrics' from awf.rejected_events as r), '{"acts": 3, "won": true}'::jsonb,
    'so are booleans, and nothing else'
);
select throws_ok(
    format('select awf.record_turn(%L)', pg_temp.event('{"player_hash": "SECRET"}')), 'WF201',
    'event refused: bad_player_hash: player_hash is not 64 hexadecimal digits', 'a message never repeats what may be a player id'
);
delete from awf.rejected_events;

-- reject_event().
select
    throws_ok(
        format('select awf.reject_event(%L, %L, %L)', j.reason, 'd', j.event), 'WF001',
        format('an event cannot be rejected for "%s"', coalesce(j.reason, 'NULL')), 'reject_event() refuses ' || j.what
    )
from (
    values (null, '{}', 'NULL for a reason'), ('', '{}', 'no reason'), ('Bad Things', '{}', 'a reason that is no code'),
    ('bad_row', '[]', 'a list'), ('bad_row', null, 'NULL')
) as j (reason, event, what);
select lives_ok(
    format('select awf.reject_event(%L, null, %L)', 'nul_character', pg_temp.event('{"foo": "SECRET", "player_id": "SECRET"}')),
    'reject_event() keeps an event that could not be sent'
);
select results_eq(
    'select reason, detail, event ? ''session_id'', event::text ~ ''SECRET'' from awf.rejected_events',
    $$values ('nul_character', '', true, false)$$, 'without free text and player id'
);
delete from awf.rejected_events;

-- Settings of the caller's session that change how texts are read and bytes are written.
set local standard_conforming_strings = off;
set local escape_string_warning = off;
set local bytea_output = 'escape';
set local intervalstyle = 'sql_standard';
select results_eq(
    $$select r.*
    from awf.record_turns(jsonb_build_array(
        pg_temp.event('{"ts": "1999-01-01T00:00:00Z"}'), pg_temp.event('{"metrics": {"turn_latency_ms": 5}}')
    )) as r$$,
    'values (1, 0, 1)', 'a session may have settings of its own'
);
select results_eq(
    $$select reason, complete, encode(player_hash, 'hex') = right(event ->> 'player_hash', 64) from awf.rejected_events$$,
    $$values ('ts_out_of_window', true, true)$$, 'and what is refused is complete all the same'
);
reset standard_conforming_strings;
reset escape_string_warning;
reset bytea_output;
reset intervalstyle;
delete from awf.rejected_events;
delete from awf.turn_events;

-- dimension_ids().
select throws_ok(
    $$select awf.dimension_ids('player', '{p}')$$, 'WF001', 'there is no dimension "player"', 'an unknown dimension is refused'
);
select throws_ok($$select awf.dimension_ids(null, '{p}')$$, 'WF001', 'there is no dimension "NULL"', 'NULL is no dimension');
select is(
    (select array_agg(i is null order by n) from unnest(awf.dimension_ids(
        'world', array['new-b', null, '', 'new-a', 'new-b', repeat('x', 200), repeat('x', 201)]
    )) with ordinality as d (i, n)),
    array[false, true, true, false, false, false, true], 'new texts get numbers; NULL, empty and too long ones get NULL'
);
select ok(
    (select d[1] = d[5] and d[1] <> d[4] from awf.dimension_ids('world', array['new-b', null, '', 'new-a', 'new-b']) as d),
    'the same text has the same number, another text another'
);
select is(
    awf.dimension_ids('world', '{new-a,new-b}'),
    (
        select array_agg(d.id order by d.value) from awf.dimensions as d
        where d.kind = 'world' and d.value in ('new-a', 'new-b')
    ),
    'numbers come in the order of the texts'
);
select ok(
    (awf.dimension_ids('world', '{same}'))[1] <> (awf.dimension_ids('adventure', '{same}'))[1],
    'a world and an adventure of the same name have numbers of their own'
);
select is(awf.dimension_ids('model', '{}'), '{}'::integer[], 'no texts, no numbers');
select is((awf.dimension_ids('locale', '{!!}'))[1], null, 'what is no locale gets no number');
select is(
    awf.dimension_ids('variation', array['e/b', 'e/z', 'nope/a', 'e', null, 'e/a']),
    array[
        (
            select v.id from awf.experiment_variations as v
            where v.experiment_key = 'e' and v.variation_key = 'b'
        ),
        null,
        null,
        null,
        null,
        (
            select v.id from awf.experiment_variations as v
            where v.experiment_key = 'e' and v.variation_key = 'a'
        )
    ],
    'variations are found by both their keys, and never made'
);

-- Phases: the keys of a variation mean the number that it had at the ts of the event.
select awf.create_experiment('g', 'G', '[{"variation": "a", "percent": 50}, {"variation": "b", "percent": 50}]');
select awf.create_variation('g', 'a');
select awf.create_variation('g', 'b');
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
-- On from the 10th, off from the 12th, on again from the 14th. The second phase begins at noon of the 16th and b goes; the third
-- begins with the 18th and c comes.
select
    pg_temp.clock('2025-01-10 00:00+00'),
    awf.start_experiment('g');
select
    pg_temp.clock('2025-01-12 00:00+00'),
    awf.stop_experiment('g');
select
    pg_temp.clock('2025-01-14 00:00+00'),
    awf.start_experiment('g');
select
    pg_temp.clock('2025-01-16 12:00+00'),
    awf.open_phase('g', '{"allocations": [{"variation": "a", "percent": 100}]}');
select
    pg_temp.clock('2025-01-18 00:00+00'),
    awf.open_phase('g'),
    awf.create_variation('g', 'c');
select pg_temp.clock('2025-02-01 12:00+00');
create function pg_temp.name_of(p_number integer)
returns text
language sql
as $$
    select format('%s of phase %s', v.variation_key, v.phase)
    from awf.variation_ids as v where v.experiment_key = 'g' and v.id = p_number
$$;
select is(pg_temp.name_of(awf._variation_id('g', n.variation, n.ts)), n.name, format('%s at %s: %s', n.variation, n.ts, n.what))
from (
    values
    ('a', timestamptz '2025-01-11 00:00+00', 'a of phase 1', 'the phase in force'),
    ('a', '2025-01-13 00:00+00', 'a of phase 1', 'stopped, but in no other phase'),
    ('a', '2025-01-16 11:59:59.999999+00', 'a of phase 1', 'up to the last moment'),
    ('a', '2025-01-16 12:00+00', 'a of phase 2', 'from its first moment on'),
    ('a', '2025-02-01 00:00+00', 'a of phase 3', 'to this day'),
    ('a', '2024-12-01 00:00+00', 'a of phase 1', 'earlier than the start: the first phase'),
    ('a', '-infinity', 'a of phase 1', 'at the beginning of time'),
    ('b', '2025-01-11 00:00+00', 'b of phase 1', 'the phase in force'),
    ('b', '2025-01-18 00:00+00', 'b of phase 3', 'numbered in a phase that gives it no units'),
    ('c', '2025-01-18 00:00+00', 'c of phase 3', 'a variation that came with the phase'),
    ('c', '2025-01-11 00:00+00', null, 'and was not there before')
) as n (variation, ts, name, what);
select is(
    awf._variation_id('f', 'x', '2025-01-11 00:00+00'), awf._variation_id('f', 'x', '2030-01-01 00:00+00'),
    'an experiment that never started has one phase'
);
select results_eq(
    $$select variation, from_at, pg_temp.name_of(id) from awf.variation_numbers('{g/c,g/a,nope/a,g,g/b,g/a,null}')$$,
    $$values
    ('g', null::timestamptz, null::text), ('g', '2025-01-10 00:00+00', null), ('g', '2025-01-16 12:00+00', null),
    ('g', '2025-01-18 00:00+00', null),
    ('g/a', null, 'a of phase 1'), ('g/a', '2025-01-10 00:00+00', 'a of phase 1'), ('g/a', '2025-01-16 12:00+00', 'a of phase 2'),
    ('g/a', '2025-01-18 00:00+00', 'a of phase 3'),
    ('g/b', null, 'b of phase 1'), ('g/b', '2025-01-10 00:00+00', 'b of phase 1'), ('g/b', '2025-01-16 12:00+00', 'b of phase 2'),
    ('g/b', '2025-01-18 00:00+00', 'b of phase 3'),
    ('g/c', null, null), ('g/c', '2025-01-10 00:00+00', null), ('g/c', '2025-01-16 12:00+00', null),
    ('g/c', '2025-01-18 00:00+00', 'c of phase 3')$$,
    'variation_numbers() tells the numbers of all phases, and from when on'
);
select results_eq(
    $$select variation, from_at, id = (select v.id from awf.experiment_variations as v where v.experiment_key = 'f')
    from awf.variation_numbers('{f/x}')$$,
    $$values ('f/x', null::timestamptz, true)$$, 'of an experiment that never started: from the beginning'
);
select is(
    pg_temp.name_of((awf.dimension_ids('variation', '{g/a}'))[1]), 'a of phase 3', 'dimension_ids() tells the number of today'
);
create function pg_temp.recorded()
returns text
language sql
as $$
    select string_agg(format('%s %s', e.ts at time zone 'UTC', pg_temp.name_of(e.assignments[1])), ', ' order by e.ts)
    from awf.turn_events as e
$$;
set local role awf_writer;
select awf.record_turn(pg_temp.event(jsonb_build_object('ts', t.ts, 'experiment_key', 'g', 'variation_key', 'a')))
from (values ('2025-01-16T12:00:00Z'), ('2025-01-16T11:59:59Z')) as t (ts);
select r.accepted
from awf.record_turns(jsonb_build_array(
    pg_temp.event('{"ts": "2025-01-19T00:00:00Z", "assignments": [{"experiment": "g", "variation": "c"}]}'),
    pg_temp.event('{"ts": "2025-01-15T00:00:00Z", "assignments": [{"experiment": "g", "variation": "b"}]}')
)) as r;
insert into awf.analytics_events (ts, session_id, player_hash, world_ref, adventure_ref, experiment_key, variation_key) values
('2025-01-17 00:00+00', 's1', repeat('ab', 32), 'w1', 'a1', 'g', 'a'),
('2025-01-14 00:00+00', 's1', repeat('ab', 32), 'w1', 'a1', 'g', 'a');
reset role;
select is(
    pg_temp.recorded(),
    '2025-01-14 00:00:00 a of phase 1, 2025-01-15 00:00:00 b of phase 1, 2025-01-16 11:59:59 a of phase 1, '
    || '2025-01-16 12:00:00 a of phase 2, 2025-01-17 00:00:00 a of phase 2, 2025-01-19 00:00:00 c of phase 3',
    'record_turn(), record_turns() and the view give an event the number of the phase at its ts'
);
select results_eq(
    $$select distinct e.experiment_key, e.variation_key from awf.analytics_events as e order by 1, 2$$,
    $$values ('g', 'a'), ('g', 'b'), ('g', 'c')$$, 'the view shows the keys, whatever the phase'
);
select throws_ok(
    format(
        'select awf.record_turn(%L)',
        pg_temp.event('{"ts": "2025-01-17T00:00:00Z", "experiment_key": "g", "variation_key": "c"}')
    ), 'WF201', 'event refused: unknown_variation: experiment "g" has no variation "c"',
    'a variation that the phase lacks is refused'
);
delete from awf.turn_events;
-- Decided in phase 1, recorded with the number of the decision when phase 2 had begun; then with a number of another experiment.
create function pg_temp.carrying(p_ts text, p_id integer)
returns jsonb
language sql
as $$
    select pg_temp.event(jsonb_build_object(
        'ts', p_ts, 'assignments', jsonb_build_array(jsonb_build_object('experiment', 'g', 'variation', 'a', 'id', p_id))
    ))
$$;
select awf.record_turn(pg_temp.carrying('2025-01-16T12:00:03Z', n.id))
from awf.variation_numbers('{g/a}') as n
where n.from_at is null;
select awf.record_turn(pg_temp.carrying('2025-01-16T12:00:04Z', n.id))
from awf.variation_numbers('{e/a}') as n;
select awf.record_turn(pg_temp.event(
    '{"ts": "2025-01-16T12:00:05Z", "assignments": [{"experiment": "g", "variation": "a", "id": "many"}]}'
));
select is(
    pg_temp.recorded(),
    '2025-01-16 12:00:03 a of phase 1, 2025-01-16 12:00:04 a of phase 2, 2025-01-16 12:00:05 a of phase 2',
    'a number that comes with the keys counts, if it is one of the variation'
);
delete from awf.turn_events;
set local role awf_writer;
select awf.open_stage();
insert into pg_temp.awf_stage (ts, id, session_id, player_hash, world_ref, adventure_ref, locale, assignments)
select
    '2025-01-17 00:00+00',
    '01940000-0000-7000-8000-000000000041',
    's1',
    sha256('p'),
    'w1',
    'a1',
    'en-US',
    array[n.id]
from awf.variation_numbers('{g/b}') as n
where n.from_at is null;
select results_eq('select * from awf.ingest_batch()', 'values (1, 0, 0)', 'a COPY may bring numbers of an earlier phase');
reset role;
select is(pg_temp.recorded(), '2025-01-17 00:00:00 b of phase 1', 'and they stay what they are');
delete from awf.turn_events;
delete from awf.ingest_log;
drop table pg_temp.awf_stage;

-- The direct path. The numbers come first.
create temporary table ids as
select
    (awf.dimension_ids('world', '{w1}'))[1] as world_id,
    (awf.dimension_ids('adventure', '{a1}'))[1] as adventure_id,
    (awf.dimension_ids('locale', '{en-US}'))[1] as locale_id,
    (awf.dimension_ids('variation', '{e/a}'))[1] as variation_id;
grant select on pg_temp.ids to public;
-- Opens a batch and sends a row, as a client does in one transaction; p_column is set to the SQL expression p_value.
create function pg_temp.send(p_column text, p_value text, p_day date default '2025-01-15')
returns bigint
language plpgsql
as $$
declare
    v_row constant jsonb := jsonb_build_object(
        'ts', quote_literal(p_day + time '10:00') || '::timestamp at time zone ''UTC''', 'id', 'gen_random_uuid()', 'session_id', '''s1''',
        'player_hash', 'sha256(''p'')'
    ) || jsonb_build_object(p_column, p_value);
    v_batch record;
begin
    select b.* into v_batch from awf.open_batch(p_day, 1) as b;
    execute format(
        'insert into %s (world_id, adventure_id, locale_id, %s) select i.world_id, i.adventure_id, i.locale_id, %s from pg_temp.ids as i',
        v_batch.table_name, (select string_agg(r.key, ', ' order by r.key) from jsonb_each_text(v_row) as r),
        (select string_agg(r.value, ', ' order by r.key) from jsonb_each_text(v_row) as r)
    );
    return v_batch.batch_id;
end;
$$;
select
    throws_ok(
        format('select * from awf.open_batch(%L, %L)', o.day, o.rows), o.code, o.message, 'open_batch() refuses ' || o.what
    )
from (
    values
    (null, 1, 'WF203', 'day NULL lies outside the accepted window', 'no day'),
    ('2025-02-03', 1, 'WF203', 'day 2025-02-03 lies outside the accepted window', 'a day after the window'),
    ('2015-02-03', 1, 'WF203', 'day 2015-02-03 lies outside the accepted window', 'a day before the window'),
    ('infinity', 1, 'WF203', 'day infinity lies outside the accepted window', 'an infinite day'),
    ('9999-12-31', 1, 'WF203', 'day 9999-12-31 lies outside the accepted window', 'a typing error'),
    ('2025-01-15', -1, 'WF001', 'a batch cannot have -1 rows', 'a negative number of rows'),
    ('2025-01-15', null, 'WF001', 'a batch cannot have NULL rows', 'no number of rows')
) as o (day, rows, code, message, what);
select is_empty(
    $$select relname from pg_class
    where relnamespace = 'awf'::regnamespace and relname ~ '^turn_events_(9999|20250203|20150203)'$$,
    'a refused day leaves no partition'
);
select lives_ok($$select * from awf.open_batch('2025-02-02', 0)$$, 'the last day of the window is accepted');
select lives_ok($$select * from awf.open_batch('2015-02-04', 0)$$, 'and its first day');
set local role awf_owner;
update awf.settings set value = '10'
where name = 'ingest_max_age_days';
reset role;
select throws_ok(
    $$select * from awf.open_batch('2025-01-21', 1)$$, 'WF203', 'day 2025-01-21 lies outside the accepted window',
    'the settings move the window, for days that have a partition, too'
);
select awf.set_setting('ingest_max_age_days', '3650');

set local role awf_writer;
select throws_ok(
    $$insert into awf.turn_events_20250115 (ts, id, session_id, player_hash, world_id, adventure_id, locale_id)
    values ('2025-01-15 10:00+00', gen_random_uuid(), 's1', sha256('p'), 1, 1, 1)$$,
    'WF202', 'this transaction has no open batch for "turn_events_20250115"', 'a partition takes no row without an open batch'
);
select lives_ok(
    $$select pg_temp.send('ts', $v$timestamptz '2025-01-15 00:00:00+00'$v$)$$,
    'a writer sends a row into the partition that open_batch() names, from the first moment of the day'
);
select lives_ok(
    $$select pg_temp.send('ts', $v$timestamptz '2025-01-15 23:59:59.999999+00'$v$)$$, 'to the last'
);
select lives_ok(
    $$select pg_temp.send('id', $v$uuid '01940000-0000-7000-8000-000000000011'$v$)$$, 'an event with an id is accepted'
);
select throws_ok(
    $$select pg_temp.send('id', $v$uuid '01940000-0000-7000-8000-000000000011'$v$)$$, '23505', null,
    'sent again it hits the key, and the client takes the careful path'
);
select throws_ok(
    $$insert into awf.turn_events_20250116 (ts, id, session_id, player_hash, world_id, adventure_id, locale_id)
    values ('2025-01-16 10:00+00', gen_random_uuid(), 's1', sha256('p'), 1, 1, 1)$$,
    'WF202', 'this transaction has no open batch for "turn_events_20250116"', 'an open batch of another day does not count'
);
select
    throws_ok(
        format('select pg_temp.send(%L, %L)', b.field, b.value), b.code, null, 'the partition refuses ' || b.what
    )
from (
    values
    ('ts', $$timestamptz '2025-01-14 23:59:59.999999+00'$$, '23514', 'a ts before its day'),
    ('ts', $$timestamptz '2025-01-16 00:00:00+00'$$, '23514', 'a ts after its day'),
    ('ts', $$timestamptz 'infinity'$$, '23514', 'an infinite ts'),
    ('ts', 'null', '23502', 'no ts'),
    ('id', 'null', '23502', 'no id'),
    ('session_id', $$''$$, '23514', 'the empty session'),
    ('session_id', $$repeat('x', 201)$$, '23514', 'a session of 201 characters'),
    ('session_id', 'null', '23502', 'no session'),
    ('player_hash', $$'player-1'::bytea$$, '23514', 'a player hash of 8 bytes'),
    ('player_hash', 'null', '23502', 'no player'),
    ('acts', '-1', '23514', 'a negative metric'),
    ('acts', '2147483648', '22003', 'a metric beyond its range'),
    ('failed', 'null', '23502', 'neither failed nor not'),
    ('assignments', 'array[1, null]', '23514', 'a NULL among the assignments'),
    ('assignments', 'array[array[1], array[2]]', '23514', 'a matrix of assignments'),
    ('extra', $$'[]'::jsonb$$, '23514', 'an extra that is a list'),
    ('extra', $$'{"mood": "grim"}'::jsonb$$, '23514', 'a text in extra'),
    ('extra', $$'{"mood": ["grim"]}'::jsonb$$, '23514', 'a list of texts in extra'),
    ('extra', $$'{"mood": [1, 2]}'::jsonb$$, '23514', 'a list of numbers in extra'),
    ('extra', $$'{"mood": {"a": 1}}'::jsonb$$, '23514', 'an object in extra'),
    ('extra', $$'{"mood": null}'::jsonb$$, '23514', 'a null in extra'),
    (
        'extra', $$(select jsonb_object_agg('metric' || n, n) from generate_series(1, 1000) as n)$$, '23514',
        'a thousand further metrics'
    ),
    ('batch_id', '1', '42501', 'a batch_id of the writer''s choice'),
    ('created_at', 'now()', '42501', 'a created_at of the writer''s choice')
) as b (field, value, code, what);
select lives_ok(format('select pg_temp.send(%L, %L)', g.field, g.value), 'the partition accepts ' || g.what)
from (
    values
    ('assignments', 'array[1, 2]', 'two assignments'), ('assignments', 'null', 'no assignment'),
    ('extra', $$'{"mood": 0.5, "won": true}'::jsonb$$, 'numbers and booleans in extra'),
    ('acts', '2147483647', 'the largest metric'), ('session_id', $$repeat('x', 200)$$, 'a session of 200 characters'),
    ('failed', 'true', 'a failed turn')
) as g (field, value, what);
select throws_ok(w.statement, '42501', null, 'a writer cannot ' || w.what)
from (
    values
    ('select * from awf.turn_events_20250115', 'read a partition'),
    ('select count(ts) from awf.turn_events_20250115', 'count a partition'),
    ('update awf.turn_events_20250115 set acts = 1', 'change events'),
    ('delete from awf.turn_events_20250115', 'delete events'),
    ('truncate awf.turn_events_20250115', 'empty a partition'),
    (
        $$insert into awf.turn_events_20250115 (ts, id, session_id, player_hash, world_id, adventure_id, locale_id)
        values ('2025-01-15 10:00+00', gen_random_uuid(), 's', sha256('p'), 1, 1, 1) returning batch_id$$, 'have rows returned'
    ),
    (
        $$insert into awf.turn_events_20250115 (ts, id, session_id, player_hash, world_id, adventure_id, locale_id)
        values ('2025-01-15 10:00+00', gen_random_uuid(), 's', sha256('p'), 1, 1, 1) on conflict (id, ts) do update set acts = 1$$,
        'overwrite events'
    ),
    (
        $$insert into awf.turn_events (ts, id, session_id, player_hash, world_id, adventure_id, locale_id)
        values ('2025-01-15 10:00+00', gen_random_uuid(), 's', sha256('p'), 1, 1, 1)$$, 'go around the partition''s guard'
    ),
    ($$select nextval('awf.ingest_log_batch_id_seq')$$, 'draw a batch number'),
    ($$select setval('awf.ingest_log_batch_id_seq', 1)$$, 'set the batch number'),
    ('insert into awf.ingest_log (day, path, role_name) values (current_date, ''direct'', ''x'')', 'write the log'),
    ('alter table awf.turn_events_20250115 disable trigger guard_copy', 'put the guard aside'),
    ('select awf._ensure_partition(''2025-01-20'')', 'make partitions by himself')
) as w (statement, what);
reset role;
select results_eq(
    $$select l.path, l.rows, l.role_name, l.day, count(*)
    from awf.turn_events as e inner join awf.ingest_log as l using (batch_id) group by 1, 2, 3, 4$$,
    $$values ('direct', 1, 'awf_writer', date '2025-01-15', 9::bigint)$$,
    'the events carry the batches that were opened for them'
);
select awf.refresh_rollups();
set local role awf_writer;
select throws_ok(
    $$insert into awf.turn_events_20250115 (ts, id, session_id, player_hash, world_id, adventure_id, locale_id)
    values ('2025-01-15 10:00+00', gen_random_uuid(), 's1', sha256('p'), 1, 1, 1)$$,
    'WF202', null, 'a batch that is rolled up takes no more rows'
);
select batch_id from awf.open_batch('2025-01-15', 1);
select batch_id from awf.open_batch('2025-01-16', 1);
select throws_ok(
    $$insert into awf.turn_events_20250115 (ts, id, session_id, player_hash, world_id, adventure_id, locale_id)
    values ('2025-01-15 10:00+00', gen_random_uuid(), 's1', sha256('p'), 1, 1, 1)$$,
    'WF202', null, 'the newest open batch counts: its number is what the rows would carry'
);
select batch_id from awf.open_batch('2025-01-15', 1);
do $$
begin
    perform awf.open_batch('2025-01-15', 1);
    raise exception 'undone';
exception
    when raise_exception then
        null;
end;
$$;
select throws_ok(
    $$insert into awf.turn_events_20250115 (ts, id, session_id, player_hash, world_id, adventure_id, locale_id)
    values ('2025-01-15 10:00+00', gen_random_uuid(), 's1', sha256('p'), 1, 1, 1)$$,
    'WF202', null, 'a batch that was rolled back closes the one before: the rows would carry a number that nobody has'
);
select batch_id from awf.open_batch('2025-01-15', 1);
select awf.record_turn(pg_temp.event('{"ts": "2025-01-18T10:00:00Z"}'));
select throws_ok(
    $$insert into awf.turn_events_20250115 (ts, id, session_id, player_hash, world_id, adventure_id, locale_id)
    values ('2025-01-15 10:00+00', gen_random_uuid(), 's1', sha256('p'), 1, 1, 1)$$,
    'WF202', null, 'a single event of another day in between closes the batch: the rows would carry that event''s number'
);
create function pg_temp.opened_between(p_statement text)
returns integer
language plpgsql
as $$
begin
    begin
        execute p_statement;
        raise exception using errcode = 'UE001';
    exception
        when sqlstate 'UE001' then
            null;
    end;
    return 1;
end;
$$;
select batch_id from awf.open_batch('2025-01-15', 2);
select
    throws_ok(
        format(
            $f$insert into awf.turn_events_20250115 (ts, id, session_id, player_hash, world_id, adventure_id, locale_id)
            select timestamptz '2025-01-15 10:00+00', gen_random_uuid(), 's1', sha256('p'), n.number, 1, 1 from %s as n (number)$f$,
            o.source
        ), 'WF202', null, 'nor may a statement open ' || o.what || ' for its own rows'
    )
from (
    values
    ($$(select 1 from awf.open_batch('2025-01-16', 1))$$, 'a batch of another day'),
    ($$(select pg_temp.opened_between('select awf.open_batch(''2025-01-15'', 1)'))$$, 'and undo one of the same day')
) as o (source, what);
reset role;
delete from awf.turn_events;

-- The careful path. p_column is set to the SQL expression p_value.
create function pg_temp.stage(p_column text, p_value text)
returns void
language plpgsql
as $$
declare
    v_row constant jsonb := jsonb_build_object(
        'ts', 'timestamptz ''2025-01-15 10:00+00''', 'id', 'gen_random_uuid()', 'session_id', '''s1''',
        'player_hash', 'sha256(''p'')', 'world_ref', '''w1''', 'adventure_ref', '''a1''', 'locale', '''en-US'''
    ) || jsonb_build_object(p_column, p_value);
begin
    perform awf.open_stage();
    execute format(
        'insert into pg_temp.awf_stage (%s) values (%s)',
        (select string_agg(r.key, ', ' order by r.key) from jsonb_each_text(v_row) as r),
        (select string_agg(r.value, ', ' order by r.key) from jsonb_each_text(v_row) as r)
    );
end;
$$;
-- One bad row between two good ones; returns what was counted and what was kept.
create function pg_temp.fault_of(p_column text, p_value text)
returns text
language plpgsql
as $$
declare
    v_counts record;
    v_kept record;
begin
    set local role awf_writer;
    perform pg_temp.stage('acts', '1'), pg_temp.stage(p_column, p_value), pg_temp.stage('acts', '3');
    select i.* into v_counts from awf.ingest_batch() as i;
    reset role;
    select r.* into v_kept from awf.rejected_events as r order by r.id desc limit 1;
    return format('%s accepted, %s rejected, %s: %s', v_counts.accepted, v_counts.rejected, v_kept.reason, v_kept.detail);
exception
    when others then
        return format('%s: %s', sqlstate, sqlerrm);
end;
$$;
select
    is(
        pg_temp.fault_of(b.field, b.value), '2 accepted, 1 rejected, ' || b.fault,
        format('the careful path keeps the good rows and says of the bad one: %s', left(b.fault, 60))
    )
from (
    values
    ('id', 'null', 'bad_id: id is missing'),
    ('ts', 'null', 'bad_ts: ts is missing'),
    ('session_id', 'null', 'missing_session: session_id is missing'),
    ('session_id', $$''$$, 'missing_session: session_id is missing'),
    ('session_id', $$repeat('x', 201)$$, 'too_long: session_id has 201 characters, more than 200'),
    ('player_hash', 'null', 'missing_player: player_hash is missing'),
    ('player_hash', $$'SECRET'::bytea$$, 'bad_player_hash: player_hash has 6 bytes, not 32'),
    ('world_ref', 'null', 'missing_world: world_ref is missing'),
    ('world_ref', $$repeat('x', 201)$$, 'too_long: world_ref has 201 characters, more than 200'),
    ('adventure_ref', $$''$$, 'missing_adventure: adventure_ref is missing'),
    ('adventure_ref', $$repeat('x', 201)$$, 'too_long: adventure_ref has 201 characters, more than 200'),
    ('locale', 'null', 'bad_locale: locale is "", not one like en-US'),
    ('locale', $$'!!'$$, 'bad_locale: locale is "!!", not one like en-US'),
    ('model', $$''$$, 'too_long: model has 0 characters, not 1 to 200'),
    ('model', $$repeat('x', 201)$$, 'too_long: model has 201 characters, not 1 to 200'),
    ('assignments', 'array[999999999]', 'unknown_variation: assignments {999999999} name a variation that does not exist'),
    ('assignments', 'array[1, null]', 'unknown_variation: assignments {1,NULL} name a variation that does not exist'),
    ('acts', '-1', 'bad_metric: acts is -1; it must lie between 0 and 2147483647'),
    ('turn_latency_us', '2147483648', 'bad_metric: turn_latency_us is 2147483648; it must lie between 0 and 2147483647'),
    ('time_advance_ticks', '-5', 'bad_metric: time_advance_ticks is -5; it must lie between 0 and 2147483647'),
    ('extra', $$'5'::jsonb$$, 'bad_extra: extra is number, not an object'),
    ('extra', $$'{"mood": "SECRET"}'::jsonb$$, 'bad_extra: metric "mood" is of type string, not a number or boolean'),
    ('extra', $$'{"mood": {"a": "SECRET"}}'::jsonb$$, 'bad_extra: metric "mood" is of type object, not a number or boolean'),
    ('extra', $$'{"mood": ["SECRET"]}'::jsonb$$, 'bad_extra: metric "mood" is of type array, not a number or boolean'),
    ('extra', $$'{"mood": [1, 2]}'::jsonb$$, 'bad_extra: metric "mood" is of type array, not a number or boolean'),
    ('extra', $$'{"mood": null}'::jsonb$$, 'bad_extra: metric "mood" is of type null, not a number or boolean')
) as b (field, value, fault);
select matches(
    pg_temp.fault_of('assignments', 'array[array[1], array[1]]'), '^2 accepted, 1 rejected, ',
    'a matrix of assignments is rejected as well'
);
select matches(
    pg_temp.fault_of('extra', $$'{"model": "SECRET"}'::jsonb$$), '^2 accepted, 1 rejected, bad_',
    'and so is a text in extra under a name that metrics may have'
);
select matches(
    pg_temp.fault_of('ts', $$timestamptz '2030-01-01 00:00+00'$$), '^2 accepted, 1 rejected, ts_out_of_window: ts is ',
    'and so is an event outside the window'
);
select matches(
    pg_temp.fault_of('ts', $$timestamptz 'infinity'$$), '^2 accepted, 1 rejected, ts_out_of_window: ts is infinity',
    'and one at the end of time'
);
select matches(
    pg_temp.fault_of('extra', $$(select jsonb_object_agg('metric' || i, i) from generate_series(1, 1000) as i)$$),
    '^2 accepted, 1 rejected, too_long: extra takes [0-9]+ bytes, more than 8192', 'and one with a thousand further metrics'
);
select is_empty(
    $$select event from awf.rejected_events
    where event::text ~ 'SECRET' or event::text ~ encode('SECRET', 'hex') or detail ~ 'SECRET'$$,
    'rejected rows keep no free text and nothing that may be a player id'
);
select is_empty($$select event from awf.rejected_events where event ? 'fault'$$, 'nor the staging table''s own column');
select is_empty(
    $$select id from awf.rejected_events where (player_hash is null) <> (reason in ('missing_player', 'bad_player_hash'))$$,
    'the player of a rejected row is kept wherever it is readable'
);
delete from awf.turn_events;
delete from awf.rejected_events;
delete from awf.ingest_log;
drop table pg_temp.awf_stage;

set local role awf_writer;
select pg_temp.stage('id', 'uuid ''01940000-0000-7000-8000-000000000021''');
select pg_temp.stage('ts', 'timestamptz ''2025-01-15 23:59:59.999999+00''');
select pg_temp.stage('ts', 'timestamptz ''2025-01-16 00:00:00+00''');
select results_eq('select * from awf.ingest_batch()', 'values (3, 0, 0)', 'a staged batch of two days is accepted');
select results_eq('select * from awf.ingest_batch()', 'values (0, 0, 0)', 'and leaves the stage empty');
select pg_temp.stage('id', 'uuid ''01940000-0000-7000-8000-000000000021''');
select pg_temp.stage('assignments', '(select array[variation_id] from pg_temp.ids)');
select pg_temp.stage('assignments', '''{}''');
select results_eq('select * from awf.ingest_batch()', 'values (2, 1, 0)', 'an event that is stored already is a duplicate');
reset role;
select results_eq(
    'select day, path, rows, duplicates, role_name from awf.ingest_log order by batch_id',
    $$values (date '2025-01-15', 'careful', 2, 0, 'awf_writer'), (date '2025-01-16', 'careful', 1, 0, 'awf_writer'),
    (date '2025-01-15', 'careful', 2, 1, 'awf_writer')$$,
    'the log counts what was stored and what was there already, by day of UTC'
);
select results_eq(
    'select e.tableoid::regclass::text, count(*), count(e.assignments) from awf.turn_events as e group by 1 order by 1',
    $$values ('awf.turn_events_20250115', 4::bigint, 1::bigint), ('awf.turn_events_20250116', 1, 0)$$,
    'midnight is UTC''s on the careful path, too; an empty list of assignments is none'
);

-- One event by every path: the same row.
delete from awf.turn_events;
select awf.record_turn(
    '{"id": "01940000-0000-7000-8000-000000000031", "ts": "2025-01-15T10:00:00Z", "session_id": "s1", "world_ref": "w1",
    "adventure_ref": "a1", "player_hash": "148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940", "model": "m1",
    "experiment_key": "e", "variation_key": "a", "metrics": {"turnLatencyMs": 5.001, "failed": true, "mood": 0.5}}'
);
insert into awf.analytics_events (
    id, ts, session_id, player_hash, world_ref, adventure_ref, locale, experiment_key, variation_key, metrics
)
values (
    '01940000-0000-7000-8000-000000000032',
    '2025-01-15 10:00+00',
    's1',
    encode(sha256('p'), 'hex'),
    'w1',
    'a1',
    'en-US',
    'e',
    'a',
    '{"turnLatencyMs": 5.001, "failed": true, "mood": 0.5, "model": "m1"}'
);
select batch_id from awf.open_batch('2025-01-15', 1);
insert into awf.turn_events_20250115 (
    ts, id, session_id, player_hash, world_id, adventure_id, locale_id, model_id, assignments, failed, turn_latency_us, extra
)
select
    '2025-01-15 10:00+00',
    '01940000-0000-7000-8000-000000000033',
    's1',
    sha256('p'),
    i.world_id,
    i.adventure_id,
    i.locale_id,
    (awf.dimension_ids('model', '{m1}'))[1],
    array[i.variation_id],
    true,
    5001,
    '{"mood": 0.5}'
from pg_temp.ids as i;
insert into awf.turn_events_20250115 (ts, id, session_id, player_hash, world_id, adventure_id, locale_id, model_id)
select
    '2025-01-15 10:00+00',
    '01940000-0000-7000-8000-000000000035',
    's1',
    sha256('p'),
    i.locale_id,
    i.world_id,
    i.adventure_id,
    9999
from pg_temp.ids as i;
select results_eq(
    $$select world_ref, adventure_ref, locale, metrics ? 'model' from awf.analytics_events
    where id = '01940000-0000-7000-8000-000000000035'$$,
    'values (null::text, null::text, null::text, false)', 'a number of another kind, or of none, shows as nothing'
);
delete from awf.turn_events
where id = '01940000-0000-7000-8000-000000000035';
select awf.open_stage();
insert into pg_temp.awf_stage (
    ts, id, session_id, player_hash, world_ref, adventure_ref, locale, model, assignments, failed, turn_latency_us, extra
)
select
    '2025-01-15 10:00+00',
    '01940000-0000-7000-8000-000000000034',
    's1',
    sha256('p'),
    'w1',
    'a1',
    'en-US',
    'm1',
    array[i.variation_id],
    true,
    5001,
    '{"mood": 0.5}'
from pg_temp.ids as i;
select accepted from awf.ingest_batch();
select results_eq(
    $$select count(*), count(distinct to_jsonb(e) - array['id', 'batch_id']) from awf.turn_events as e$$,
    'values (4::bigint, 1::bigint)', 'single event, view, direct and careful path store the same row'
);

-- Sessions with other habits: a style of dates whose zone abbreviation another zone claims.
delete from awf.turn_events;
set local timezone = 'Asia/Kolkata';
set local datestyle = 'SQL, DMY';
select lives_ok(
    format('select awf.record_turn(%L)', pg_temp.event('{"ts": "2025-01-19T00:00:00Z"}')),
    'a new day can be made in a session with any time zone and style of dates'
);
select lives_ok(
    format('select awf.record_turn(%L)', pg_temp.event('{"ts": "2025-01-19T23:59:59.999999Z"}')), 'up to its last moment'
);
select lives_ok('select * from awf.refresh_rollups()', 'and rolled up');
set local timezone = 'UTC';
set local datestyle = 'ISO, YMD';
select results_eq(
    $$select day, n[1] from awf.daily_totals where variation_id = 0 and day = '2025-01-19'$$,
    $$values (date '2025-01-19', 2::bigint)$$, 'as the day of UTC that it is'
);
select matches(
    (
        select pg_get_expr(c.relpartbound, c.oid) from pg_class as c
        where c.oid = to_regclass('awf.turn_events_20250119')
    ),
    '2025-01-19 00:00:00\+00.*2025-01-20 00:00:00\+00', 'the partition begins and ends at midnight UTC'
);

-- What a batch cost stands in the log.
delete from awf.turn_events;
delete from awf.ingest_log;
drop table pg_temp.awf_stage;
delete from awf.rejected_events;
set local role awf_writer;
select throws_ok(
    'select awf.close_batch(1)', 'WF202', 'this transaction has no open batch', 'close_batch() is for a batch of this transaction'
);
select pg_temp.send('session_id', quote_literal('s1'));
select lives_ok('select awf.close_batch(123)', 'a batch may be closed');
select awf.open_stage();
insert into pg_temp.awf_stage (ts, id, session_id, player_hash, world_ref, adventure_ref, locale)
select
    t.ts,
    t.id::uuid,
    t.session_id,
    sha256('p'),
    'w1',
    'a1',
    'en-US'
from (
    values
    (timestamptz '2025-01-15 10:00+00', '01940000-0000-7000-8000-000000000051', 's1'),
    ('2025-01-15 10:00+00', '01940000-0000-7000-8000-000000000051', 's1'),
    ('2025-01-16 10:00+00', '01940000-0000-7000-8000-000000000052', 's1'),
    ('2025-01-16 10:00+00', '01940000-0000-7000-8000-000000000053', '')
) as t (ts, id, session_id);
select results_eq('select * from awf.ingest_batch(456)', 'values (2, 1, 1)', 'a batch of two days, a duplicate and a bad row');
insert into pg_temp.awf_stage (ts, id, session_id) values ('2025-01-16 10:00+00', '01940000-0000-7000-8000-000000000054', '');
select results_eq('select * from awf.ingest_batch()', 'values (0, 0, 1)', 'a batch of nothing but a bad row');
reset role;
select results_eq(
    $$select path, day, rows, duplicates, rejected, bytes, duration_ms >= 0, rolled_up_at is not null
    from awf.ingest_log
    order by batch_id$$,
    $$values
    ('direct', date '2025-01-15', 1, null::integer, null::integer, 123::bigint, true, false),
    ('careful', '2025-01-15', 1, 1, 1, 456, true, false),
    ('careful', '2025-01-16', 1, 0, 0, null, true, false),
    ('careful', (awf._now() at time zone 'UTC')::date, 0, 0, 1, null, true, true)$$,
    'each has its rows, refusals, bytes and time; what brought no event is not for the refresh'
);

-- Attributes of an event.
select is(awf._attributes_fault(f.attributes::jsonb), f.fault, 'attributes ' || left(f.attributes, 40))
from (
    values
    ('{}', null), ('{"country": "NZ", "paying": true, "level": 3, "team": null}', null),
    ('[]', 'bad_attributes: attributes is of type array, not an object'),
    ('{"b": [1], "a": {}}', 'bad_attributes: attribute "a" is of type object, not a text, number or boolean'),
    (format('{"a": "%s"}', repeat('x', 2040)), 'too_long: attributes takes 2049 bytes, more than 2048')
) as f (attributes, fault);
select lives_ok(
    format('select awf.record_turn(%L)', pg_temp.event('{"ts": "2025-01-15T11:00:00Z", "attributes": {"country": "NZ"}}')),
    'an event may say something about its unit'
);
select throws_ok(
    format('select awf.record_turn(%L)', pg_temp.event('{"attributes": {"country": ["NZ"]}}')), 'WF201',
    'event refused: bad_attributes: attribute "country" is of type array, not a text, number or boolean', 'but not a list'
);
select results_eq(
    $$select attributes from awf.turn_events where ts = '2025-01-15 11:00+00'$$, $$values ('{"country": "NZ"}'::jsonb)$$,
    'it is stored with it'
);
select throws_ok(
    $$select pg_temp.send('attributes', quote_literal('{"country": ["NZ"]}'))$$, '23514', null,
    'the direct path refuses a list as well'
);

select finish();
rollback;
