-- Archive: what the database asks before a day may go, and before it may come back. The files are in the Python tests.
begin;
select plan(98);

set local timezone = 'Pacific/Kiritimati'; -- UTC+14: the local day is never the day of the event
set local client_min_messages = 'warning';
select awf.create_roles();
set local role awf_owner;
create or replace function awf._now() returns timestamptz language sql stable parallel safe
return timestamptz '2025-02-01 12:00:00+00';
reset role;
create role pgtap_admin;
create role pgtap_other_admin;
select awf.grant_usage('pgtap_admin', 'admin');
select awf.grant_usage('pgtap_other_admin', 'admin');

create function pg_temp.error_of(p_statement text)
returns text
language plpgsql
as $$
begin
    execute p_statement;
    return null;
exception
    when others then
        return concat_ws(' ', sqlstate, sqlerrm);
end;
$$;
select
    awf.record_turn(jsonb_build_object(
        'ts', e.ts, 'session_id', 's1', 'player_hash', repeat('ab', 32), 'world_ref', 'w1', 'adventure_ref', 'a1',
        'metrics', '{"retries": 2, "mood": 1.50}'::jsonb
    ))
from
    (values ('2025-01-15T00:00:00Z'), ('2025-01-15T23:59:59.999999Z'), ('2025-01-16T10:00:00Z'), ('2025-02-01T00:00:00Z'))
        as e (ts);

-- The days.
set local role pgtap_admin;
select
    is(
        pg_temp.error_of('select * from awf.archive_days(null)'),
        'WF002 the day before which to archive is missing',
        'refused: no day'
    );
select throws_ok($$select * from awf.archive_days('infinity')$$, 'WF002', null, 'refused: for ever');
select awf.set_setting('events_keep_days', '3');
select
    is(
        pg_temp.error_of('select * from awf.archive_days()'),
        'WF106 events are kept for 3 days, but accepted up to an age of 3650 days',
        'refused, as by apply_retention(): days from which events are still accepted'
    );
select lives_ok($$select * from awf.archive_days('2030-01-01')$$, 'not by a day of the caller''s own');
select awf.set_setting('events_keep_days', 'null');
select results_eq(
    $$select day, state, waiting_batches, archive_file, archive_sha256, known_sha256 from awf.archive_days('2030-01-01')$$,
    $$values
    (date '2025-01-15', 'attached', 1::bigint, null::text, null::text, '{}'::text[]), ('2025-01-16', 'attached', 1, null, null, '{}')$$,
    'days that are over, the oldest first, with the batches that wait'
);
select results_eq(
    $$select day from awf.archive_days('2025-01-16')$$, $$values (date '2025-01-15')$$, 'the day itself does not belong to them'
);
select is(
    pg_temp.error_of($$select awf.open_archive('2025-01-15')$$),
    'WF302 the day 2025-01-15 is not closed: batches that wait for a refresh: 1', 'refused: a day with waiting batches'
);
select awf.refresh_rollups();
select throws_ok($$select awf.open_archive('2025-02-01')$$, 'WF302', null, 'refused: a day that is not over');
select throws_ok('select awf.open_archive(null)', 'WF302', null, 'refused: no day');
select is(
    pg_temp.error_of($$select awf.open_archive('2025-01-10')$$), 'WF305 2025-01-10 has not left turn_events, or has no events',
    'refused: a day without events'
);

select awf.set_setting('ingest_max_age_days', '16');
select awf.set_setting('events_keep_days', '16');
select results_eq(
    'select day from awf.archive_days()', $$values (date '2025-01-15')$$, 'without a day: those that events_keep_days lets go'
);
select awf.set_setting('events_keep_days', 'null');
select awf.set_setting('ingest_max_age_days', '3650');

-- What needs a detached day.
select
    is(
        pg_temp.error_of(f.call),
        'WF305 2025-01-15 has not left turn_events, or has no events',
        'refused for an attached day: ' || f.call
    )
from (
    values
    ($$select awf.close_archive('2025-01-15', 'f', 2, repeat('0', 64), 0)$$),
    ($$select awf.drop_archived_day('2025-01-15', repeat('0', 64))$$),
    ($$select awf.attach_day('2025-01-15')$$),
    ($$select awf.open_restore('2025-01-15', repeat('0', 64))$$),
    ($$select awf.close_restore('2025-01-15')$$)
) as f (call);
select throws_ok(f.call, 'WF305', null, 'refused for no day: ' || f.call)
from (
    values
    ($$select awf.close_archive(null, 'f', 2, repeat('0', 64), 0)$$),
    ($$select awf.drop_archived_day(null, repeat('0', 64))$$),
    ('select awf.attach_day(null)'),
    ($$select awf.open_restore(null, repeat('0', 64))$$),
    ('select awf.close_restore(null)')
) as f (call);

-- Opening.
select throws_ok('select count(*) from awf.turn_events_20250115', '42501', null, 'an admin cannot read a partition');
select is(awf.open_archive('2025-01-15'), 'awf.turn_events_20250115', 'the table of the day is named');
select is(awf.open_archive('2025-01-15'), 'awf.turn_events_20250115', 'a second call names it again');
select is((select count(*) from awf.turn_events_20250115), 2::bigint, 'who has opened it may read it');
select is((select count(*) from awf.turn_events), 2::bigint, 'the other days are where they were');
select throws_ok('delete from awf.turn_events_20250115', '42501', null, 'and nothing else');
set local role pgtap_other_admin;
select throws_ok('select count(*) from awf.turn_events_20250115', '42501', null, 'another admin may not');
set local role pgtap_admin;
create temporary table events as
table awf.turn_events_20250115;
select results_eq(
    $$select state, known_sha256 from awf.archive_days('2025-01-16')$$,
    $$values ('detached', '{}'::text[])$$,
    'the day is listed as detached'
);
reset role;
grant select on pg_temp.events to awf_owner;

-- Closing: the database counts by itself.
create temporary table digests as
select
    a.rows,
    a.digest
from awf._archive_digest('awf.turn_events_20250115') as a;
grant select on pg_temp.digests to pgtap_admin;
select isnt((select d.digest from digests as d), 0::numeric, 'the table has a digest');
set local role pgtap_admin;
select
    throws_ok(
        format('select awf.close_archive(%L, %L, %L, %L, %L, %L)', '2025-01-15', c.file, c.rows, c.sha256, c.digest, c.format),
        'WF001', null, 'refused: ' || c.what
    )
from (
    values
    (null, 2, repeat('0', 64), 0, 1, 'no file'),
    ('', 2, repeat('0', 64), 0, 1, 'an empty name'),
    ('f', null, repeat('0', 64), 0, 1, 'no rows'),
    ('f', 2, null, 0, 1, 'no checksum'),
    ('f', 2, repeat('G', 64), 0, 1, 'a checksum that is none'),
    ('f', 2, repeat('0', 64), null, 1, 'no digest'),
    ('f', 2, repeat('0', 64), 0, 2, 'a format that nobody knows')
) as c (file, rows, sha256, digest, format, what);
select
    matches(
        pg_temp.error_of(
            format(
                'select awf.close_archive(%L, %L, %s, %L, %s)',
                '2025-01-15',
                'f',
                d.rows + c.rows,
                repeat('0', 64),
                d.digest + c.digest
            )
        ),
        '^WF304 f does not hold the events of 2025-01-15$', 'refused: ' || c.what
    )
from digests as d
cross join (values (1, 0, 'an event more'), (-1, 0, 'an event less'), (0, 1, 'another content')) as c (rows, digest, what);
select matches(
    pg_temp.error_of(format('select awf.drop_archived_day(%L, %L)', '2025-01-15', repeat('0', 64))), '^WF304 ',
    'a day that is not archived is not dropped'
);
select awf.close_archive('2025-01-15', 'f.parquet', d.rows, repeat('a', 64), d.digest) from digests as d;
select throws_ok('select count(*) from awf.turn_events_20250115', '42501', null, 'from now on nobody reads the table');
select results_eq(
    'select day, file, rows, sha256, format, archived_at, archived_by from awf.archives',
    $$values (date '2025-01-15', 'f.parquet', 2::bigint, repeat('a', 64), 1, timestamptz '2025-02-01 12:00+00', 'pgtap_admin')$$,
    'the archive is remembered'
);
select results_eq(
    $$select state, archive_file, archive_sha256, known_sha256 from awf.archive_days('2025-01-16')$$,
    $$values ('archived', 'f.parquet', repeat('a', 64), array[repeat('a', 64)])$$, 'the day is listed as archived'
);
select
    matches(
        pg_temp.error_of(format('select awf.drop_archived_day(%L, %s)', '2025-01-15', c.sha256)),
        '^WF304 ',
        'not dropped for ' || c.what
    )
from (values ('repeat(''0'', 64)', 'another file'), ('null', 'no file')) as c (sha256, what);

-- Back again, as it was.
select results_eq($$select * from awf.attach_day('2025-01-15')$$, 'values (0, 0::bigint)', 'a detached day is attached again');
select bag_eq($$select * from awf.turn_events where ts < '2025-01-16 00:00+00'$$, 'select * from events', 'with its events');
select throws_ok('select count(*) from awf.turn_events_20250115', '42501', null, 'nobody reads the partition');
select is(has_column_privilege('awf_writer', 'awf.turn_events_20250115', 'ts', 'insert'), true, 'writers may COPY into it');
select is(obj_description('awf.turn_events_20250115'::regclass), null, 'it is not said to be detached');
select lives_ok($$select * from awf.open_batch('2025-01-15', 0)$$, 'it takes events');
select awf.refresh_rollups();

-- Gone and back.
select awf.open_archive('2025-01-15');
select awf.close_archive('2025-01-15', 'f.parquet', d.rows, repeat('b', 64), d.digest) from digests as d;
select is(awf.drop_archived_day('2025-01-15', repeat('b', 64)), true, 'an archived day is dropped');
select is(to_regclass('awf.turn_events_20250115'), null, 'its table is gone');
select is_empty($$select * from awf.archive_days('2025-01-16')$$, 'it is listed no more');
select throws_ok($$select awf.open_archive('2025-01-15')$$, 'WF301', null, 'it cannot be archived again');
select
    matches(
        pg_temp.error_of(format('select awf.open_restore(%L, %s)', '2025-01-15', c.sha256)),
        '^WF304 ',
        'not restored from ' || c.what
    )
from (values ('repeat(''a'', 64)', 'an older archive'), ('null', 'no file')) as c (sha256, what);
select matches(
    pg_temp.error_of($$select awf.close_restore('2025-01-15')$$),
    '^WF305 2025-01-15 is dropped',
    'nothing to close before it is opened'
);
select is(awf.open_restore('2025-01-15', repeat('b', 64)), 'awf.turn_events_20250115', 'opened for the file');
select lives_ok(
    $$insert into awf.turn_events_20250115 select * from events where ts = '2025-01-15 00:00+00'$$, 'who opened it may fill it'
);
select matches(
    pg_temp.error_of($$select awf.close_restore('2025-01-15')$$),
    '^WF304 what was copied is not what was archived of 2025-01-15$',
    'not closed with an event less'
);
select is(awf.open_restore('2025-01-15', repeat('b', 64)), 'awf.turn_events_20250115', 'opened once more');
select lives_ok('insert into awf.turn_events_20250115 table events', 'and may fill it again');
select results_eq(
    $$select * from awf.close_restore('2025-01-15')$$, 'values (2::bigint, 0, 0::bigint)', 'closed with all of them'
);
select bag_eq(
    $$select * from awf.turn_events where ts < '2025-01-16 00:00+00'$$, 'select * from events', 'they are as they were'
);
reset role;
select is_empty(
    $$select a.attname, a.attnotnull, format_type(a.atttypid, a.atttypmod), col_description(a.attrelid, a.attnum), a.attstorage
    from pg_attribute as a where a.attrelid = 'awf.turn_events_20250115'::regclass and a.attnum > 0
    except
    select a.attname, a.attnotnull, format_type(a.atttypid, a.atttypmod), col_description(a.attrelid, a.attnum), a.attstorage
    from pg_attribute as a where a.attrelid = 'awf.turn_events_20250116'::regclass and a.attnum > 0$$,
    'the partition is made like any other: columns'
);
select bag_eq(
    $$select replace(pg_get_indexdef(i.indexrelid), '20250115', '') from pg_index as i
    where i.indrelid = 'awf.turn_events_20250115'::regclass$$,
    $$select replace(pg_get_indexdef(i.indexrelid), '20250116', '') from pg_index as i
    where i.indrelid = 'awf.turn_events_20250116'::regclass$$,
    'indexes'
);
select bag_eq(
    $$select c.conname::text, pg_get_constraintdef(c.oid) from pg_constraint as c
    where c.conrelid = 'awf.turn_events_20250115'::regclass and c.contype = 'c'$$,
    $$select c.conname::text, pg_get_constraintdef(c.oid) from pg_constraint as c
    where c.conrelid = 'awf.turn_events_20250116'::regclass and c.contype = 'c'$$,
    'and checks'
);

-- The digest knows every column.
select is_empty(
    $$select a.attname from pg_attribute as a
    where a.attrelid = 'awf.turn_events'::regclass and a.attnum > 0 and not a.attisdropped
        and (select p.prosrc from pg_proc as p where p.proname = '_archive_digest') !~ ('\me\.' || a.attname || '\M')$$,
    'the digest is made of every column of turn_events'
);

-- Rights.
select
    is(
        has_function_privilege(r.role_name, f.name, 'execute'),
        r.role_name = 'awf_admin',
        format('%s and %s', r.role_name, f.name)
    )
from (values ('awf_reader'), ('awf_analyst'), ('awf_writer'), ('awf_admin')) as r (role_name)
cross join (
    values ('awf.archive_days(date)'),
    ('awf.open_archive(date)'),
    ('awf.close_archive(date, text, bigint, text, numeric, integer)'),
    ('awf.drop_archived_day(date, text)'), ('awf.attach_day(date)'), ('awf.open_restore(date, text)'), ('awf.close_restore(date)')
) as f (name);

select finish();
rollback;
