-- The pipeline beyond its straight way: locales, lines, refused events that are tried again, players who are forgotten.
begin;
select plan(230);

set local timezone = 'Pacific/Kiritimati'; -- UTC+14: the local day is never the day of the event
set local client_min_messages = 'warning';
select awf.create_roles();
set local role awf_owner;
create or replace function awf._now() returns timestamptz language sql stable parallel safe
return timestamptz '2025-02-01 12:00:00+00';
reset role;
select awf.set_player_hash_key('0123456789abcdef');
select awf.create_experiment('e', 'E', '[{"variation": "a", "percent": 50}, {"variation": "b", "percent": 50}]');
select awf.create_variation('e', 'a');
select awf.create_variation('e', 'b');
select awf.create_experiment('p', 'P', '[{"variation": "x", "percent": 50}, {"variation": "y", "percent": 50}]', 'player');
select awf.create_variation('p', 'x');
select awf.create_variation('p', 'y');

-- A good event with some fields changed; a field changed to null is left out.
create function pg_temp.event(p_changes jsonb default '{}')
returns jsonb
language sql
as $$
    select jsonb_strip_nulls(jsonb_build_object(
        'ts', '2025-01-15T10:00:00Z', 'session_id', 's1', 'player_hash', repeat('ab', 32), 'world_ref', 'w1', 'adventure_ref', 'a1'
    ) || p_changes)
$$;
create function pg_temp.clear_events()
returns void
language sql
as $$
    delete from awf.turn_events;
    delete from awf.ingest_log;
    delete from awf.daily_totals;
    delete from awf.exposures;
    delete from awf.crossovers;
    delete from awf.rejected_events;
$$;

-- Locales: the grammar of RFC 5646. Its own examples, and each part once too long, too short or in the wrong place.
select is(awf._is_locale(l.tag), true, format('%s is a locale', l.tag))
from (
    values
    ('de'), ('fil'), ('EN'), ('zh-Hant'), ('zh-cmn-Hans-CN'), ('cmn-Hans-CN'), ('zh-yue-HK'), ('sr-Latn-RS'), ('sl-rozaj'),
    ('sl-rozaj-biske'), ('de-CH-1901'), ('sl-IT-nedis'), ('hy-Latn-IT-arevela'), ('es-419'), ('en-US'), ('en-us'),
    ('de-CH-x-phonebk'),
    ('az-Arab-x-AZE-derbend'), ('x-whatever'), ('x-a-b-12345678'), ('qaa-Qaaa-QM-x-southern'), ('de-Qaaa'), ('en-US-u-islamcal'),
    ('zh-CN-a-myext-x-private'), ('en-a-myext-b-another'), ('ar-a-aaa-b-bbb-a-ccc'), ('de-1996'), ('abcd'), ('abcdefgh'),
    ('zh-abc-def-ghi'), ('en-0-ab'), ('en-abcde-12345-1abc'), ('en-u-co-phonebk-ca-buddhist-kn-true-nu-latn')
) as l (tag);
select is(awf._is_locale(l.tag), false, format('"%s" is none', l.tag))
from (
    values
    (''), ('e'), ('1'), ('x'), ('i'), ('abcdefghi'), ('en_US'), ('en-'), ('-en'), ('en--US'), ('en US'), (' en'), ('en '),
    (e'en\n'),
    ('en-x'), ('en-a'), ('en-a-b'), ('en-a-x-b'), ('a-DE'), ('x-123456789'), ('de-419-DE'), ('en-US-Latn'), ('abcd-efg'),
    ('zh-abc-def-ghi-jkl'), ('en-U'), ('en-12'), ('en-abc1'), ('en-123456789'), ('dé'), ('en-ÜS'), ('ıd'),
    ('en-US-u-' || repeat('x', 9)), ('*'), ('en.UTF-8'), ('12-en')
) as l (tag);
select is(awf._is_locale(null), null, 'NULL is neither');
select results_eq(
    format($$select accepted, rejected from awf.record_turns(%L)$$, jsonb_build_array(
        pg_temp.event('{"locale": "en_US"}'),
        pg_temp.event('{"locale": "sl-Latn-IT-nedis-x-1"}'),
        pg_temp.event('{"locale": "i-klingon"}')
    )),
    'values (1, 2)', 'an event with something else is refused'
);
select pg_temp.clear_events();

-- What is kept of a refused event: a number may be a player id as well as a text; attributes may be free text.
select is(awf._event_remains(r.event), r.remains, 'of a refused event is kept: ' || r.what)
from (
    values
    ('{"player_id": 5, "playerId": 6, "id": "x"}'::jsonb, '{"id": "x"}'::jsonb, 'no player id that is a number'),
    ('{"player_id": true, "player_hash": 5, "playerHash": false}', '{}', 'no player id in the place of a hash'),
    (
        '{"attributes": {"a": "free text", "b": 5, "c": true, "d": null, "e": [1], "f": {"g": 1}}}',
        '{"attributes": {"b": 5, "c": true}}', 'numbers and booleans of the attributes'
    ),
    ('{"attributes": "free text"}', '{}', 'no text in the place of the attributes'),
    (
        '{"assignments": [3, {"experiment": "e", "variation": "v", "id": 7, "x": 1}, {"id": 8}, {"id": "text"}, "text"]}',
        '{"assignments": [3, {"experiment": "e", "variation": "v", "id": 7}, {"id": 8}, {}]}', 'keys and numbers of variations'
    ),
    ('{"assignments": []}', '{"assignments": []}', 'an empty list of them')
) as r (event, remains, what);
select is(encode(awf._readable_player(p.event), 'hex'), p.hash, 'the player of a refused event: ' || p.what)
from (
    values
    (pg_temp.event(), repeat('ab', 32), 'its hash'),
    (pg_temp.event(jsonb_build_object('player_hash', '\x' || repeat('AB', 32))), repeat('ab', 32), 'its hash as a bytea'),
    (pg_temp.event('{"player_hash": null, "player_id": "p1"}'), awf.hash_player('p1'), 'the hash of its id'),
    (pg_temp.event('{"player_hash": null, "playerId": 17}'), awf.hash_player('17'), 'the hash of its id, a number'),
    (pg_temp.event('{"player_id": "p1"}'), repeat('ab', 32), 'its hash before its id'),
    (pg_temp.event('{"player_hash": null, "player_id": ""}'), null, 'an empty id is none'),
    (pg_temp.event('{"player_hash": "p1", "player_id": "p1"}'), null, 'nobody where the hash is none'),
    ('{}', null, 'nobody where there is none')
) as p (event, hash, what);
create temporary table key_before as table awf.player_hash_key;
delete from awf.player_hash_key;
select is(
    awf._readable_player(pg_temp.event('{"player_hash": null, "player_id": "p1"}')),
    null,
    'nobody where no key is stored, without an error'
);
insert into awf.player_hash_key
select k.* from key_before as k; -- noqa: AM04
select is(awf._keeps_all(k.event), k.complete, format('complete: %s; %s', k.complete, k.what))
from (
    values
    (pg_temp.event(), true, 'a document'),
    (pg_temp.event('{"player_hash": null, "player_id": "p1"}'), true, 'one with a player id'),
    (pg_temp.event('{"metrics": {"acts": 5, "won": true}, "attributes": {"a": 1}, "model": "m"}'), true, 'one with numbers'),
    (pg_temp.event() || '{"metrics": {"acts": null}, "model": null}', true, 'one with nulls'),
    (pg_temp.event('{"assignments": [{"experiment": "e", "variation": "a", "id": 5}, 7]}'), true, 'one with assignments'),
    (pg_temp.event('{"metrics": {}, "assignments": []}'), true, 'one with nothing in its lists'),
    ('{}', false, 'nothing'), ('[]', false, 'a list'), (null, false, 'NULL'),
    (pg_temp.event('{"player_hash": null}'), false, 'nobody'),
    (pg_temp.event('{"player_hash": "p1"}'), false, 'somebody who is lost'),
    (pg_temp.event('{"metrics": {"mood": "grim"}}'), false, 'a text among the metrics'),
    (pg_temp.event('{"attributes": {"a": "x"}}'), false, 'a text among the attributes'),
    (pg_temp.event('{"other": "x"}'), false, 'a text of an unknown field'),
    (pg_temp.event(jsonb_build_object('session_id', repeat('x', 201))), false, 'a text that was cut'),
    (
        pg_temp.event('{"assignments": [{"experiment": "e", "variation": "a", "unit": "u"}]}'),
        false,
        'an assignment that says more'
    ),
    (
        pg_temp.event(jsonb_build_object('player_hash', '\x' || repeat('ab', 32), 'id', gen_random_uuid())),
        true,
        'a row of the stage'
    ),
    (pg_temp.event(jsonb_build_object('player_hash', '\x' || repeat('ab', 32))), false, 'a row of the stage without an id')
) as k (event, complete, what);
select awf.reject_event('some_reason', 'd', e.event, e.complete)
from (
    values (pg_temp.event(), true), (pg_temp.event(), false), (pg_temp.event(), null), (pg_temp.event('{"other": "x"}'), true)
) as e (event, complete);
select awf.reject_event('some_reason', 'd', pg_temp.event());
select results_eq(
    'select complete from awf.rejected_events order by id', '{true,false,false,false,false}'::boolean[],
    'what a client hands in is complete when it says so and nothing had to be taken out'
);
select pg_temp.clear_events();

-- Attributes, in and out through the view.
insert into awf.analytics_events (ts, session_id, player_hash, world_ref, adventure_ref, locale, attributes) values
('2025-01-15 10:00+00', 's1', repeat('ab', 32), 'w1', 'a1', 'en', '{"country": "FR", "age": 7}'),
('2025-01-15 10:01+00', 's1', repeat('ab', 32), 'w1', 'a1', 'en', null);
select results_eq(
    'select attributes from awf.analytics_events order by ts', array['{"country": "FR", "age": 7}', null]::jsonb[],
    'the view takes and shows attributes'
);
select pg_temp.clear_events();

-- record_lines().
create function pg_temp.line(p_i integer)
returns text
language sql
as $$select (pg_temp.event() || jsonb_build_object('id', format('01940000-0000-7000-8000-%s', lpad(p_i::text, 12, '0'))))::text$$;
create temporary table bad_lines (line text, reason text, detail text);
insert into bad_lines values
('nonsense', 'not_json', 'line 2 is not JSON'), ('{"SECRET": 1', 'not_json', 'line 2 is not JSON'),
('{} {}', 'not_json', 'line 2 is not JSON'), ('{"a": 1},{"b": 2}', 'not_json', 'line 2 is not JSON'),
('{"a": 01}', 'not_json', 'line 2 is not JSON'), ('"SECRET', 'not_json', 'line 2 is not JSON'),
('{"a": "SECRET\u12"}', 'not_json', 'line 2 is not JSON'), ('{"a": "\ud800 SECRET', 'not_json', 'line 2 is not JSON'),
(repeat('[', 100000), 'not_json', 'line 2 is not JSON'),
(e'{"a": "SECRET\x01"}', 'not_json', 'line 2 is not JSON'),
('{"session_id": "SECRET\u0000"}', 'bad_text', 'line 2 has a NUL character'),
(
    '{"session_id": "SECRET\ud800"}', 'bad_text', 'line 2 has half of a surrogate pair, or a text that is too long'
),
(
    '{"SECRET\udc00": 1}', 'bad_text', 'line 2 has half of a surrogate pair, or a text that is too long'
),
('{"SECRET": 1e1000000}', 'bad_metric', 'line 2 has a number beyond every type'),
('5', 'not_an_object', 'the event is number'),
('null', 'not_an_object', 'the event is null'),
('[]', 'not_an_object', 'the event is array'),
('{}', 'missing_session', 'session_id is missing');
create function pg_temp.outcome_of(p_line text)
returns text
language plpgsql
as $$
declare
    v_counts record;
begin
    perform pg_temp.clear_events();
    select r.* into v_counts from awf.record_lines(concat_ws(e'\n', pg_temp.line(1), p_line, pg_temp.line(2))) as r;
    return (
        select format(
            '%s %s %s, %s: %s%s%s', v_counts.accepted, v_counts.duplicate, v_counts.rejected, r.reason, r.detail,
            case when r::text ~ 'SECRET' then ', and tells it' end, case when r.complete then ', complete' end
        )
        from awf.rejected_events as r
    );
exception
    when others then
        return format('%s: %s', sqlstate, left(sqlerrm, 100));
end;
$$;
select
    is(
        pg_temp.outcome_of(b.line), format('2 0 1, %s: %s', b.reason, b.detail),
        format('a bad line costs the others nothing: %s', left(b.line, 30))
    )
from bad_lines as b;
select pg_temp.clear_events();
select results_eq(
    format(
        'select * from awf.record_lines(%L)',
        e'\n' || pg_temp.line(1) || e'\r\n  \t\n' || pg_temp.line(2) || e'\n\n' || pg_temp.line(1) || e'\n'
    ),
    'values (2, 1, 0)', 'lines may end with CR LF, empty ones are passed over, the last needs no end'
);
select results_eq(
    $$select path, rows, duplicates from awf.ingest_log$$, $$values ('careful', 2, 1)$$, 'they come in one batch'
);
select
    results_eq(
        format('select * from awf.record_lines(%L)', t.text), 'values (0, 0, 0)', 'no event in ' || t.what
    )
from (values ('', 'the empty text'), (e'\n \r\n', 'empty lines')) as t (text, what);
select throws_ok('select * from awf.record_lines(null)', 'WF201', 'lines are NULL, not a text', 'NULL is refused');
-- Two lines that are one document only together.
select results_eq(
    $$select * from awf.record_lines(e'{"a":1\n"b":2}\n{"c":1},{"d":2}')$$, 'values (0, 0, 3)', 'lines are not put together'
);
select results_eq(
    'select detail from awf.rejected_events order by id', array['line 1 is not JSON', 'line 2 is not JSON', 'line 3 is not JSON'],
    'each is kept with its number'
);
select results_eq(
    'select distinct event from awf.rejected_events', array['{}'::jsonb], 'and without its text'
);

-- retry_rejected().
create function pg_temp.retry(p_reason text default null, p_limit integer default 10000)
returns table (accepted integer, duplicate integer, rejected integer)
language sql
as $$ select r.accepted, r.duplicate, r.rejected from awf.retry_rejected(p_reason, p_limit) as r $$;
create temporary view refused as
select
    r.reason,
    r.detail,
    r.complete
from awf.rejected_events as r;
create temporary view stored as
select
    e.id,
    e.ts,
    e.session_id,
    e.player_hash,
    e.world_id,
    e.locale_id,
    e.model_id,
    e.assignments,
    e.failed,
    e.turn_latency_us,
    e.acts,
    e.extra,
    e.attributes
from awf.turn_events as e;
select
    throws_ok(
        r.statement, 'WF001', r.message, 'refused: ' || r.message
    )
from (
    values
    ('select * from awf.retry_rejected(p_limit => -1)', '-1 refused events cannot be tried again'),
    ('select * from awf.retry_rejected(p_limit => null)', 'NULL refused events cannot be tried again'),
    ($$select * from awf.retry_rejected('nonsense')$$, 'no event was refused for "nonsense"'),
    ($$select awf.dismiss_rejected('nonsense')$$, 'no event was refused for "nonsense"')
) as r (statement, message);
select pg_temp.clear_events();
select
    results_eq(
        'select * from pg_temp.retry()',
        'values (0, 0, 0)',
        'without refused events there is nothing to try'
    );

-- The two forms of refused events: documents that could not be read, and rows of the stage.
select awf.set_setting('ingest_max_age_days', '1');
create temporary table sent (event jsonb);
insert into sent values
(pg_temp.event(
    '{"id": "01940000-0000-7000-8000-000000000001", "session_id": "row", "player_hash": null, "player_id": "p1",
    "locale": "de-DE", "model": "m1", "experiment_key": "e", "variation_key": "b", "attributes": {"age": 7, "vip": true},
    "metrics": {"turnLatencyMs": 812.345, "acts": 3, "failed": true, "won": true, "mood": 0.5}}'
)),
(pg_temp.event(
    '{"id": "01940000-0000-7000-8000-000000000002", "session_id": "document", "player_hash": null, "playerId": "p1",
    "assignments": [{"experiment": "e", "variation": "late"}], "metrics": {"turn_latency_ms": 1.5, "won": false}}'
)),
(pg_temp.event('{"id": "01940000-0000-7000-8000-000000000003", "session_id": "incomplete", "metrics": {"mood": "grim"}}'));
select results_eq(
    $$select r.* from awf.record_turns((select jsonb_agg(s.event) from sent as s)) as r$$, 'values (0, 0, 3)', 'three are refused'
);
select bag_eq(
    'select reason, complete from refused',
    $$values ('ts_out_of_window', true), ('unknown_variation', true), ('bad_extra', false)$$,
    'one for its time, one for its variation, and one that cannot be kept as it is'
);
select is_empty(
    $$select from awf.rejected_events
    where encode(player_hash, 'hex') is distinct from case when complete then awf.hash_player('p1') else repeat('ab', 32) end$$,
    'their players are known by their hashes'
);
create temporary table refused_before as table awf.rejected_events;
select
    results_eq(
        'select * from pg_temp.retry()',
        'values (0, 0, 2)',
        'before a fix they are refused again'
    );
select results_eq(
    'select id, rejected_at, reason, player_hash, client, complete from awf.rejected_events order by id',
    'select id, rejected_at, reason, player_hash, client, complete from refused_before order by id', 'and stay, each once'
);
select awf.set_setting('ingest_max_age_days', '3650');
select
    results_eq(
        'select * from pg_temp.retry()', 'values (1, 0, 1)', 'with a wider window one lands'
    );
select bag_eq(
    'select reason, complete from refused',
    $$values ('unknown_variation', true), ('bad_extra', false)$$,
    'and leaves the refused ones'
);
select awf.create_variation('e', 'late');
select results_eq(
    $$select * from pg_temp.retry('bad_extra')$$,
    'values (0, 0, 0)',
    'a reason chooses; what is incomplete is not tried'
);
select
    results_eq(
        $$select * from pg_temp.retry('unknown_variation')$$,
        'values (1, 0, 0)',
        'with its variation the other lands'
    );
select results_eq('select reason from refused', array['bad_extra'], 'the incomplete one stays');
select results_eq(
    $$select r.incomplete from (values (null), ('bad_extra'), ('unknown_variation')) as a (reason)
    cross join lateral awf.retry_rejected(a.reason) as r$$, '{1,1,0}'::bigint[], 'and is counted as one that cannot be tried'
);
select awf.reject_event('of_a_client', 'd', '{}');
select is(awf.dismiss_rejected(a.reason, a.before, a.dry_run), a.events, 'dismissing refused events: ' || a.what)
from (
    values (1, null, null, true, 2::bigint, 'how many there are'),
    (2, null, '2000-01-01'::timestamptz, false, 0, 'before a moment'),
    (3, 'of_a_client', null, false, 1, 'those of a reason, which may be a client''s own'),
    (4, 'bad_ts', null, false, 0, 'of a reason that none has'),
    (5, 'bad_extra', 'infinity', true, 1, 'nothing is gone that was only counted')
) as a (step, reason, before, dry_run, events, what)
order by a.step;
create temporary table retried as table stored;
select pg_temp.clear_events();
select results_eq(
    $$select r.* from awf.record_turns((select jsonb_agg(s.event) from sent as s)) as r$$,
    'values (2, 0, 1)',
    'sent now, both land'
);
select bag_eq('select * from retried', 'select * from stored', 'and are the same as those that were tried again');
select results_eq(
    $$select turn_latency_us, acts, failed, extra, attributes from retried where session_id = 'row'$$,
    $$values (812345, 3, true, '{"won": true, "mood": 0.5}'::jsonb, '{"age": 7, "vip": true}'::jsonb)$$, 'with all they had'
);

-- Rows of a COPY: numbers of variations, their own columns, every metric.
select pg_temp.clear_events();
select awf.set_setting('ingest_max_age_days', '1');
create function pg_temp.copied(p_id text, p_session text, p_assignments integer[])
returns text
language sql
as $$
    select awf.open_stage();
    insert into pg_temp.awf_stage (
        ts, id, session_id, player_hash, world_ref, adventure_ref, locale, model, assignments, failed,
        turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens, retries, fallbacks, tool_calls, acts, choices,
        time_advance_ticks, extra
    )
    values (
        '2025-01-15 10:00:00.123456+00', p_id::uuid, p_session, sha256('p'), 'w1', 'a1', 'fr', 'm1', p_assignments, true,
        812345, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, '{"won": true, "mood": -0.5}'
    );
    select i::text from awf.ingest_batch() as i;
$$;
create temporary table numbers as
select array_agg(v.id order by v.experiment_key desc, v.variation_key desc) as ids
from awf.variation_ids as v
where v.experiment_key || v.variation_key in ('ea', 'px');
select
    is(
        pg_temp.copied(format('01940000-0000-7000-8000-00000000000%s', c.id), c.session, c.ids),
        '(0,0,1)',
        format('a copied row is refused: %s', c.session)
    )
from (
    select
        1 as id,
        'numbers' as session,
        n.ids
    from numbers as n
    union all
    values (2, 'none', '{}'::integer[]), (3, 'null', null), (4, 'unknown', '{999999}')
) as c (id, session, ids)
order by c.id;
select is(pg_temp.copied(null, 'without an id', '{}'), '(0,0,1)', 'and so is one without an id');
select is((
    select count(*) from refused
    where complete
), 4::bigint, 'which is the only one that is not complete');
select awf.set_setting('ingest_max_age_days', '3650');
select results_eq('select * from pg_temp.retry()', 'values (3, 0, 1)', 'all but one land');
select
    results_eq(
        'select reason from awf.rejected_events order by id', array['unknown_variation', 'bad_id'], 'the one for its variation'
    );
create temporary table retried_rows as table stored;
select is((select count(distinct r.id) from retried_rows as r), 3::bigint, 'there are three');
select pg_temp.clear_events();
select pg_temp.copied(format('01940000-0000-7000-8000-00000000000%s', c.id), c.session, c.ids)
from (
    select
        1 as id,
        'numbers' as session,
        n.ids
    from numbers as n
    union all
    values (2, 'none', '{}'::integer[]), (3, 'null', null)
) as c (id, session, ids);
select bag_eq('select * from retried_rows', 'select * from stored', 'as if they had never been refused');
-- Sent again in the meantime.
insert into awf.rejected_events (reason, detail, player_hash, event, complete)
select
    'ts_out_of_window',
    'd',
    sha256('p'),
    pg_temp.event(jsonb_build_object('id', s.id, 'ts', s.ts)),
    true
from stored as s;
select
    results_eq(
        'select * from pg_temp.retry()',
        'values (0, 3, 0)',
        'what was stored in the meantime is a duplicate'
    );
select is_empty('select * from refused', 'and is refused no more');
select is((select count(*) from stored), 3::bigint, 'nor doubled');

-- Without id and time; the limit; the same one twice.
select pg_temp.clear_events();
insert into awf.rejected_events (rejected_at, reason, detail, player_hash, event, complete)
select
    timestamptz '2025-01-16 12:00+00' + i * interval '1 minute',
    'bad_locale',
    'd',
    decode(repeat('ab', 32), 'hex'),
    pg_temp.event('{"ts": null, "player_hash": null}')
    || jsonb_build_object('session_id', 's' || i, 'locale', case when i > 3 then '!' else 'en' end),
    true
from generate_series(1, 5) as i;
select
    results_eq(
        'select * from pg_temp.retry(p_limit => 0)',
        'values (0, 0, 0)',
        'a limit of 0 tries none'
    );
select
    results_eq(
        'select * from pg_temp.retry(p_limit => 2)',
        'values (2, 0, 0)',
        'a limit takes the oldest'
    );
select results_eq(
    $$select session_id, ts from stored where player_hash = decode(repeat('ab', 32), 'hex') order by 1$$,
    $$values ('s1', timestamptz '2025-01-16 12:01+00'), ('s2', '2025-01-16 12:02+00')$$,
    'an event without a time happened when it was refused'
);
select
    results_eq(
        'select * from pg_temp.retry()', 'values (1, 0, 2)', 'the next call takes the others'
    );
select is(
    (select array_agg(r.event ->> 'id' order by r.id) from awf.rejected_events as r),
    (
        select array_agg(i.id order by i.row) from (select
            r.event ->> 'id' as id,
            r.id as row
        from awf.rejected_events as r
        where r.event ? 'id') as i
    ),
    'those that are refused again have their ids now'
);
create temporary table ids_now as
select r.event ->> 'id' as id from awf.rejected_events as r;
select results_eq('select * from pg_temp.retry()', 'values (0, 0, 2)', 'and tried once more');
select bag_eq($$select event ->> 'id' from awf.rejected_events$$, 'select id from ids_now', 'keep them');
insert into awf.rejected_events (reason, detail, player_hash, event, complete)
select
    'bad_locale',
    'd',
    r.player_hash,
    r.event || '{"locale": "en"}',
    true
from awf.rejected_events as r
cross join generate_series(1, 2);
select
    results_eq(
        'select * from pg_temp.retry()', 'values (2, 2, 2)', 'of two that are the same one lands'
    );
-- What a writer may have said is complete.
select pg_temp.clear_events();
select awf.reject_event('odd', 'd', e.event, true)
from (select
    jsonb_build_object(
        'id', gen_random_uuid(), 'ts', '2025-01-16T12:00:00+00:00', 'session_id', 's1', 'player_hash', '\x' || repeat('ab', 32),
        'world_ref', 'w', 'adventure_ref', 'a', 'locale', 'en-US'
    ) || o.odd::jsonb as event
from (
    values ('{}'),
    ('{"turn_latency_us": true}'),
    ('{"turn_latency_us": 9e131071}'),
    ('{"turn_latency_us": 1e-16000}'),
    ('{"acts": true}'),
    ('{"acts": 1e400}'), ('{"acts": 0.5}'), ('{"failed": 7}'), ('{"assignments": [1e400, 0.5, -1, 99999999999]}'),
    ('{"assignments": [{"id": 1e400}]}'), ('{"ts": 5}'), ('{"id": 5}'), ('{"locale": 5}'), ('{"session_id": true}')
) as o (odd)) as e;
select is((
    select count(*) from awf.rejected_events as r
    where not r.complete
), 0::bigint, 'all of them are to be tried');
select results_eq(
    'select accepted >= 1, duplicate, accepted + rejected from awf.retry_rejected()', 'values (true, 0, 14)',
    'none costs the others'
);
set local role awf_writer;
select throws_ok('select * from awf.retry_rejected()', '42501', null, 'a writer cannot try them again');
reset role;

-- forget_player().
create function pg_temp.hash_of(p_player text)
returns text
language sql
as $$select encode(sha256(convert_to(p_player, 'UTF8')), 'hex')$$;
-- 240 events of 8 players in 12 sessions, some of them shared, on 4 days; every unit crosses over now and then.
create temporary table played as
select
    i,
    'player' || i * 5 % 8 as player,
    jsonb_build_object(
        'id', format('01940000-0000-7000-8000-%s', lpad(to_hex(i), 12, '0')),
        'ts', timestamptz '2025-01-14 00:00+00' + (i * 37 % 240) * interval '24 minutes',
        'session_id', 's' || i * 7 % 12, 'player_hash', pg_temp.hash_of('player' || i * 5 % 8), 'world_ref', 'w' || i % 2,
        'adventure_ref', 'a1', 'locale', (array['en-US', 'fr'])[1 + i % 2],
        'assignments', jsonb_build_array(
            jsonb_build_object('experiment', 'e', 'variation', case when i % 17 < 9 then 'a' else 'b' end),
            jsonb_build_object('experiment', 'p', 'variation', case when i % 13 < 11 then 'x' else 'y' end)
        ),
        'metrics', jsonb_build_object('acts', i * 31 % 101, 'failed', i % 7 = 0)
    ) as event
from generate_series(1, 240) as i;
create temporary view rollup_state as
select to_jsonb(d) as state from awf.daily_totals as d
union all
select to_jsonb(x) from awf.exposures as x
union all
select to_jsonb(c) from awf.crossovers as c;
create function pg_temp.play(p_but text[])
returns void
language plpgsql
as $$
begin
    perform pg_temp.clear_events();
    -- In eight batches, so that exposures change hands.
    for j in 0 .. 7 loop
        perform awf.record_turns(coalesce(
            (select jsonb_agg(p.event) from played as p where p.i % 8 = j and p.player <> all(p_but)), '[]'
        ));
        perform awf.refresh_rollups();
    end loop;
end;
$$;
create function pg_temp.error_of(p_statement text)
returns text
language plpgsql
as $$
declare
    v_detail text;
    v_hint text;
begin
    execute p_statement;
    return null;
exception
    when others then
        get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
        return concat_ws(' ', sqlstate, sqlerrm, v_detail, v_hint);
end;
$$;
select
    matches(
        pg_temp.error_of(format('select * from awf.forget_player(%L)', h.hash)),
        '^WF001 a player hash of [0-9]+ characters is none',
        'refused: ' || h.what
    )
from (
    values
    (null, 'NULL'),
    ('', 'the empty text'),
    ('SECRET', 'a player id'),
    (repeat('a', 63), '63 digits'),
    (repeat('a', 65), '65 digits'),
    (repeat('g', 64), '64 letters'), ('\x' || repeat('a', 64), 'a bytea'), (' ' || repeat('a', 63), 'a blank')
) as h (hash, what);
select unalike(pg_temp.error_of($$select * from awf.forget_player('SECRET')$$), '%SECRET%', 'and is not repeated');
select pg_temp.play('{}');
create temporary table all_played as table rollup_state;
select isnt_empty('select * from awf.crossovers', 'there are crossovers');
select isnt_empty(
    $$select x.unit_id from awf.exposures as x where x.unit_id ~ '^s'
    and x.player_hash = decode(pg_temp.hash_of('player3'), 'hex')
    and exists (select from awf.turn_events as e where e.session_id = x.unit_id and e.player_hash <> x.player_hash)$$,
    'and sessions of several players that the forgotten one began'
);
select pg_temp.play('{player3}');
create temporary table without_player3 as table rollup_state;
select pg_temp.play('{player3,player4}');
create temporary table without_both as table rollup_state;
create function pg_temp.hashes_named(p_player text)
returns bigint
language plpgsql
as $$
declare
    v_table regclass;
    v_rows bigint;
    v_found bigint := 0;
begin
    for v_table in select c.oid::regclass from pg_class as c where c.relnamespace = 'awf'::regnamespace and c.relkind = 'r' loop
        execute format('select count(*) from %s as t where position(%L in t::text) > 0', v_table, pg_temp.hash_of(p_player))
        into v_rows;
        v_found := v_found + v_rows;
    end loop;
    return v_found;
end;
$$;
select pg_temp.play('{}');
select awf.record_turns(jsonb_build_array(p.event || '{"locale": "!"}', p.event || '{"locale": "!!"}'))
from played as p
where p.i = 7; -- player3
select awf.reject_event('bad_row', 'd', jsonb_build_object('session_id', pg_temp.hash_of('player3')));
select awf.set_override('p', pg_temp.hash_of('player3'), 'x');
select awf.set_override('p', pg_temp.hash_of('player4'), 'x');
select awf.set_override('e', pg_temp.hash_of('player3'), 'a');
select is((
    select p.player from played as p
    where p.i = 7
), 'player3', 'the refused events are of player 3');
select ok(pg_temp.hashes_named('player3') > 40, 'the hash of a player stands in many rows');
create temporary table revision_before as table awf.config_state;
set local role awf_admin;
select results_eq(
    format('select * from awf.forget_player(%L)', upper(pg_temp.hash_of('player3'))),
    $$values (30::bigint, 3::bigint, 3::bigint, 4)$$,
    'a player is forgotten, with what there was of him'
);
reset role;
select is(pg_temp.hashes_named('player3'), 0::bigint, 'his hash stands nowhere');
select bag_eq(
    'select * from rollup_state',
    'select * from without_player3',
    'totals, exposures and crossovers are as if he had never played'
);
select results_eq('select unit_id from awf.experiment_overrides', array[pg_temp.hash_of('player4')], 'his overrides are gone');
select ok((select c.revision > b.revision from awf.config_state as c, revision_before as b), 'which clients are told');
select isnt_empty($$select * from awf.backfill('2025-01-14', '2025-01-17')$$, 'a recompute of his days');
select bag_eq('select * from rollup_state', 'select * from without_player3', 'changes nothing');
select results_eq(
    'select erased_by, erased_at, events, exposures, rejected, days, octet_length(digest) from awf.erasures',
    $$values ('awf_admin', timestamptz '2025-02-01 12:00+00', 30::bigint, 3::bigint, 3::bigint, 4, 32)$$,
    'the erasure is on record'
);
select is(
    (select e.digest from awf.erasures as e),
    (
        select sha256(k.outer_pad || sha256(k.inner_pad || decode(pg_temp.hash_of('player3'), 'hex'))) from awf.erasure_key as k
    ), 'under a keyed digest'
);
create temporary table revision_after as table awf.config_state;
select results_eq(
    format('select * from awf.forget_player(%L)', pg_temp.hash_of('player3')), 'values (0::bigint, 0::bigint, 0::bigint, 0)',
    'a further call finds nothing'
);
select bag_eq('select * from rollup_state', 'select * from without_player3', 'and does no harm');
select is((select count(*) from awf.erasures), 2::bigint, 'but is on record');
select bag_eq('table awf.config_state', 'table revision_after', 'without overrides the configuration stays as it is');
select results_eq(
    format('select * from awf.forget_player(%L)', repeat('0', 64)), 'values (0::bigint, 0::bigint, 0::bigint, 0)',
    'somebody unknown can be forgotten'
);
-- A session of two players, in a variation each.
create function pg_temp.shared(p_player text, p_minute integer, p_variation text)
returns jsonb
language sql
as $$
    select pg_temp.event(jsonb_build_object(
        'id', format('01940000-0000-7000-8000-%s', lpad(p_minute::text, 12, '0')),
        'ts', timestamptz '2025-01-15 10:00+00' + p_minute * interval '1 day', 'session_id', 'shared',
        'player_hash', pg_temp.hash_of(p_player), 'experiment_key', 'e', 'variation_key', p_variation
    ))
$$;
create function pg_temp.shared_by(p_first text, p_second text)
returns void
language sql
as $$
    select pg_temp.clear_events();
    select awf.record_turns(jsonb_build_array(
        pg_temp.shared(p_first, 0, 'a'), pg_temp.shared(p_first, 2, 'b'),
        pg_temp.shared(p_second, 1, 'b'), pg_temp.shared(p_second, 3, 'b')
    ));
    select awf.refresh_rollups();
$$;
create temporary view seen as
select
    v.variation_key,
    x.first_ts,
    x.player_hash = decode(pg_temp.hash_of('one'), 'hex') as of_one,
    (select count(*) from awf.crossovers) as crossovers
from awf.exposures as x
inner join awf.variation_ids as v on x.variation_id = v.id;
select pg_temp.shared_by('one', 'two');
select results_eq(
    'select * from seen', $$values ('a', timestamptz '2025-01-15 10:00+00', true, 2::bigint)$$, 'a session of two crossed over'
);
select awf.forget_player(pg_temp.hash_of('one'));
select results_eq(
    'select * from seen', $$values ('b', timestamptz '2025-01-16 10:00+00', false, 0::bigint)$$,
    'without the first player the other''s event of another day is the first, and there is one variation'
);
select pg_temp.shared_by('two', 'one');
select awf.forget_player(pg_temp.hash_of('one'));
select results_eq(
    'select * from seen', $$values ('a', timestamptz '2025-01-15 10:00+00', false, 2::bigint)$$,
    'without the second player the session is still one that crossed over'
);
select results_eq(
    'select c.first_ts from awf.crossovers as c order by 1',
    array['2025-01-15 10:00+00', '2025-01-17 10:00+00']::timestamptz[], 'but later'
);
delete from awf.erasures
where digest = awf._erasure_digest(decode(pg_temp.hash_of('one'), 'hex'));
-- Events that wait for a refresh.
select pg_temp.play('{player3,player4}');
select awf.record_turns((
    select jsonb_agg(p.event) from played as p
    where p.player = 'player4'
));
select results_eq(
    format('select events, days from awf.forget_player(%L)', pg_temp.hash_of('player4')), 'values (30::bigint, 4)',
    'events that wait for a refresh are found, too'
);
select bag_eq('select * from rollup_state', 'select * from without_both', 'with the same result');
select is((select r.events from awf.refresh_rollups() as r), 0::bigint, 'and nothing of them comes later');

-- reapply_erasures(): the events are there again, as after a restore.
select results_eq('select * from awf.reapply_erasures()', 'values (0, 0::bigint)', 'nobody who was forgotten is there');
select pg_temp.play('{}');
select bag_eq('select * from rollup_state', 'select * from all_played', 'everybody is there again');
select awf.record_turns(jsonb_build_array(p.event || '{"locale": "!"}'))
from played as p
where p.i = 7;
select
    results_eq(
        'select * from awf.reapply_erasures()', 'values (2, 60::bigint)', 'the two who were forgotten are forgotten again'
    );
select bag_eq('select * from rollup_state', 'select * from without_both', 'with the same result');
select is(pg_temp.hashes_named('player3') + pg_temp.hashes_named('player4'), 0::bigint, 'their hashes stand nowhere');
select results_eq(
    'select events, rejected, days from awf.erasures where id > (select max(e.id) - 2 from awf.erasures as e) order by rejected',
    'values (30::bigint, 0::bigint, 4), (30, 1, 4)', 'each is on record'
);
select results_eq('select * from awf.reapply_erasures()', 'values (0, 0::bigint)', 'and then there is nobody');
select awf.set_override('p', pg_temp.hash_of('player3'), 'x');
select results_eq('select * from awf.reapply_erasures()', 'values (1, 0::bigint)', 'an override shows a player as well');
-- A partition whose events are gone.
select pg_temp.play('{}');
create temporary table totals_before as table awf.daily_totals;
set local role awf_owner;
drop table awf.turn_events_20250115;
reset role;
select results_eq(
    format('select events, days from awf.forget_player(%L)', pg_temp.hash_of('player3')),
    $$select count(*), 3 from played as p
    where p.player = 'player3' and ((p.event ->> 'ts')::timestamptz at time zone 'UTC')::date <> '2025-01-15'$$,
    'where a day is gone the player is erased from the others'
);
select bag_eq(
    $$select * from awf.daily_totals where day = '2025-01-15'$$, $$select * from totals_before where day = '2025-01-15'$$,
    'the totals of that day, which name nobody, stay'
);
select is(pg_temp.hashes_named('player3'), 0::bigint, 'and his hash stands nowhere');

-- The key of the erasures.
create temporary table erasure_key_before as table awf.erasure_key;
delete from awf.erasure_key;
select
    throws_ok(
        f.statement, 'WF205', 'the key of the erasures is gone from this database', 'without the key: ' || f.statement
    )
from (
    values (format('select * from awf.forget_player(%L)', pg_temp.hash_of('player4'))), ('select * from awf.reapply_erasures()')
) as f (statement);
select isnt_empty(
    $$select from awf.turn_events where player_hash = decode(pg_temp.hash_of('player4'), 'hex')$$,
    'nothing is erased without a record'
);
insert into awf.erasure_key
select k.* from erasure_key_before as k; -- noqa: AM04
delete from awf.erasures
where id is not null;
select results_eq('select * from awf.reapply_erasures()', 'values (0, 0::bigint)', 'without erasures nobody is looked for');
set local role awf_analyst;
select throws_ok(format('select * from awf.forget_player(%L)', repeat('0', 64)), '42501', null, 'an analyst cannot forget');
select throws_ok('select * from awf.reapply_erasures()', '42501', null, 'nor reapply');
reset role;

select finish();
rollback;
