-- Partitions: made ahead and on demand, detached, dropped; what a day that is gone means for every way of ingest.
begin;
select plan(150);

set local timezone = 'Pacific/Kiritimati'; -- UTC+14: the local day is never the day of the event
set local client_min_messages = 'warning';
select awf.create_roles();
set local role awf_owner;
create or replace function awf._now() returns timestamptz language sql stable parallel safe
return timestamptz '2025-02-01 12:00:00+00';
reset role;

create function pg_temp.event(p_ts text, p_changes jsonb default '{}')
returns jsonb
language sql
as $$
    select jsonb_strip_nulls(jsonb_build_object(
        'ts', p_ts, 'session_id', 's1', 'player_hash', repeat('ab', 32), 'world_ref', 'w1', 'adventure_ref', 'a1'
    ) || p_changes)
$$;
create function pg_temp.partitions()
returns text[]
language sql
as $$
    select coalesce(array_agg(right(c.relname, 8) order by c.relname), '{}')
    from pg_inherits as i inner join pg_class as c on i.inhrelid = c.oid
    where i.inhparent = 'awf.turn_events'::regclass
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
        return concat_ws(' ', sqlstate, sqlerrm);
end;
$$;
create function pg_temp.days()
returns jsonb
language sql
as $$
    select jsonb_object_agg(d.day, d.state) from awf.event_days as d
$$;

-- Settings.
select
    throws_ok(
        format('select awf.set_setting(%L, %L)', b.name, b.value), 'WF001', null, format('%s cannot be %s', b.name, b.value)
    )
from (
    values
    ('archive_required', '1'), ('archive_required', '"true"'), ('archive_required', 'null'),
    ('partitions_ahead_days', 'null'), ('partitions_ahead_days', '91'), ('partitions_ahead_days', '-1'),
    ('events_keep_days', '-1'), ('events_keep_days', '"all"'), ('events_keep_days', 'true')
) as b (name, value);
select is(awf._setting_flag('archive_required'), false, 'archiving is off at first');
select awf.set_setting('archive_required', 'true');
select is(awf._setting_flag('archive_required'), true, 'and can be switched on');
select awf.set_setting('archive_required', 'false');
select is(awf._setting_flag('archive_required'), false, 'and off');

-- Detaching a day: what is refused.
select awf.record_turn(pg_temp.event(e.ts))
from (
    values
    ('2025-01-15T00:00:00Z'), ('2025-01-15T23:59:59.999999Z'), ('2025-01-16T00:00:00Z'), ('2025-02-01T00:00:00Z'),
    ('2025-02-02T00:00:00Z')
) as e (ts);
select
    is(
        pg_temp.error_of(format('select awf._detach_day(%L)', d.day)), 'WF302 ' || d.message, 'refused: ' || d.message
    )
from (
    values
    (null, 'the day NULL is not over'),
    ('infinity', 'the day infinity is not over'),
    ('2025-02-01', 'the day 2025-02-01 is not over'),
    ('2025-02-02', 'the day 2025-02-02 is not over'),
    ('2025-01-15', 'the day 2025-01-15 is not closed: batches that wait for a refresh: 1')
) as d (day, message);
select is(pg_temp.days(), null, 'nothing has left');
select awf.refresh_rollups();
select is(awf._detach_day('2025-01-10'), null, 'a day without a partition gives nothing');
select is(pg_temp.days(), null, 'and leaves no trace');
select
    is(
        pg_temp.error_of('select awf._drop_day(' || quote_nullable(d.day) || ')'),
        format('WF302 the day %s is not detached', coalesce(d.day, 'NULL')), 'what is not detached cannot be dropped'
    )
from (values ('2025-01-15'), ('2025-01-10'), (null)) as d (day);

-- Detaching, dropping.
create temporary table totals_before as
table awf.daily_totals;
select is(awf._detach_day('2025-01-15')::text, 'awf.turn_events_20250115', 'the table of the day is named');
select is(pg_temp.partitions(), array['20250116', '20250201', '20250202'], 'it is a partition no more');
select is(awf._detach_day('2025-01-15')::text, 'awf.turn_events_20250115', 'a second call names it again');
select is((select count(*) from awf.turn_events_20250115), 2::bigint, 'it holds the events of the day');
select results_eq(
    'select day, state, detached_at, dropped_at, archived_at from awf.event_days',
    $$values (date '2025-01-15', 'detached', timestamptz '2025-02-01 12:00+00', null::timestamptz, null::timestamptz)$$,
    'the day is recorded'
);
select is_empty(
    $$select from pg_class as c cross join lateral aclexplode(c.relacl) as x
    where c.oid = 'awf.turn_events_20250115'::regclass and x.grantee <> c.relowner
    union all
    select from pg_attribute as a cross join lateral aclexplode(a.attacl) as x
    where a.attrelid = 'awf.turn_events_20250115'::regclass$$,
    'nobody but the owner has a right on the detached table'
);
select awf.grant_usage('awf_writer', 'writer');
select is(
    has_any_column_privilege('awf_writer', 'awf.turn_events_20250115', 'insert'), false, 'nor gets one when rights are given'
);
set local role awf_owner;
select is_empty('select * from awf.migrate()', 'nor by a migration');
reset role;
select is(has_any_column_privilege('awf_writer', 'awf.turn_events_20250115', 'insert'), false, 'which leaves it alone');

-- Whatever way an event of such a day takes, it is refused, and its day stays as it is.
create function pg_temp.stage_three()
returns text
language plpgsql
as $$
declare
    v_counts text;
begin
    perform awf.open_stage();
    insert into pg_temp.awf_stage (ts, id, session_id, player_hash, world_ref, adventure_ref, locale)
    select e.ts, gen_random_uuid(), 's1', sha256('p'), 'w', 'a', 'en'
    from unnest(array['2025-01-14 23:59:59.999999+00', '2025-01-15 00:00+00', '2025-01-16 00:00+00']::timestamptz[]) as e (ts);
    select format('%s accepted, %s duplicate, %s rejected', i.accepted, i.duplicate, i.rejected) into v_counts
    from awf.ingest_batch() as i;
    return v_counts;
end;
$$;
create function pg_temp.check_gone(p_state text)
returns setof text
language plpgsql
as $$
declare
    v_rejected bigint;
begin
    return next is(
        pg_temp.error_of($s$select * from awf.open_batch('2025-01-15', 1)$s$),
        'WF301 the events of 2025-01-15 are gone: the day takes no others', p_state || ': the direct path refuses the day'
    );
    return next is(
        pg_temp.error_of(format('select awf.record_turn(%L)', pg_temp.event('2025-01-15T10:00:00Z'))),
        'WF301 the events of 2025-01-15 are gone: the day takes no others', p_state || ': so does record_turn()'
    );
    return next is(
        pg_temp.error_of($s$insert into awf.analytics_events (ts, session_id, player_hash, world_ref, adventure_ref)
        values ('2025-01-15 10:00+00', 's', repeat('ab', 32), 'w', 'a')$s$),
        'WF301 the events of 2025-01-15 are gone: the day takes no others', p_state || ': so does the view'
    );
    return next results_eq(
        format('select * from awf.record_turns(%L)', jsonb_build_array(
            pg_temp.event('2025-01-15T10:00:00Z'), pg_temp.event('2025-01-16T10:00:00Z', '{"session_id": "kept"}')
        )),
        'values (1, 0, 1)', p_state || ': record_turns() keeps the event aside and stores the other'
    );
    return next results_eq(
        format('select reason, detail, complete from awf.rejected_events order by id desc limit 1'),
        format(
            'values (%L, %L, true)', 'day_gone',
            format('ts is %s; the events of that day are gone', timestamptz '2025-01-15 10:00+00')
        ),
        p_state || ': with its reason'
    );
    return next results_eq(
        format('select * from awf.record_lines(%L)', pg_temp.event('2025-01-15T10:00:00Z')), 'values (0, 0, 1)',
        p_state || ': so does record_lines()'
    );
    return next is(pg_temp.stage_three(), '2 accepted, 0 duplicate, 1 rejected', p_state || ': so does the careful path');
    v_rejected := (select count(*) from awf.rejected_events);
    return next results_eq(
        'select accepted, duplicate, rejected from awf.retry_rejected()', format('values (0, 0, %s)', v_rejected), p_state || ': a second try changes nothing'
    );
    return next is((select count(*) from awf.rejected_events), v_rejected, p_state || ': and keeps them');
    return next throws_ok(
        $s$select * from awf.rollup_daily('2025-01-15')$s$, 'WF301', null, p_state || ': a recompute is refused'
    );
    perform awf.refresh_rollups();
    return next bag_eq(
        $s$select * from awf.daily_totals where day = '2025-01-15'$s$, $s$select * from totals_before where day = '2025-01-15'$s$,
        p_state || ': the totals stay'
    );
    return next is(pg_temp.days(), jsonb_build_object('2025-01-15', p_state), p_state || ': the day is what it was');
end;
$$;
select pg_temp.check_gone('detached');
select is((select count(*) from awf.turn_events_20250115), 2::bigint, 'the detached table is what it was');
select awf.set_setting('archive_required', 'true');
select is(
    pg_temp.error_of($$select awf._drop_day('2025-01-15')$$), 'WF303 the events of 2025-01-15 are not archived',
    'while archiving is on a day without an archive is not dropped'
);
update awf.event_days set archived_at = now()
where day = '2025-01-15';
select is(awf._drop_day('2025-01-15'), true, 'one with an archive is');
select is(to_regclass('awf.turn_events_20250115'), null, 'its table is gone');
select results_eq(
    'select day, state, dropped_at from awf.event_days',
    $$values (date '2025-01-15', 'dropped', timestamptz '2025-02-01 12:00+00')$$, 'the day is recorded as dropped'
);
select is(awf._drop_day('2025-01-15'), true, 'a second call finds it done');
select is(
    pg_temp.error_of($$select awf._detach_day('2025-01-15')$$),
    'WF301 the events of 2025-01-15 are gone: the day takes no others',
    'it cannot be detached again'
);
select awf.set_setting('archive_required', 'false');
select pg_temp.check_gone('dropped');
select is(to_regclass('awf.turn_events_20250115'), null, 'no refusal has made a partition of the dropped day');

-- A day that was restored, and has left again, must be archived again.
update awf.event_days set state = 'restored', restored_at = now();
select lives_ok($$select * from awf.open_batch('2025-01-15', 0)$$, 'a restored day takes events');
select awf.refresh_rollups();
select is(awf._detach_day('2025-01-15')::text, 'awf.turn_events_20250115', 'and can be detached');
select results_eq(
    'select state, archived_at, restored_at, dropped_at from awf.event_days',
    $$values ('detached', null::timestamptz, null::timestamptz, null::timestamptz)$$, 'its old archive counts no more'
);

-- Partitions ahead.
select results_eq(
    'select * from awf.ensure_partitions()',
    $$select d.day::date, 'awf.turn_events_' || to_char(d.day, 'YYYYMMDD'), d.day > '2025-02-02'
    from generate_series(timestamp '2025-02-01', '2025-02-08', '1 day') as d (day)$$,
    'partitions are made for today and the days ahead, but for those that are there'
);
select results_eq(
    'select count(*), bool_or(made) from awf.ensure_partitions()', 'values (8::bigint, false)', 'a second call finds them there'
);
select awf.set_setting('partitions_ahead_days', '0');
select results_eq(
    'select * from awf.ensure_partitions()', $$values (date '2025-02-01', 'awf.turn_events_20250201', false)$$,
    'the setting says how many'
);
select results_eq(
    $$select day, made from awf.ensure_partitions(p_to => '2025-02-02')$$,
    $$values (date '2025-02-01', false), ('2025-02-02', false)$$, 'the range may be given, to the end of the window at least'
);
select awf.set_setting('partitions_ahead_days', '7');
select results_eq(
    $$select * from awf.ensure_partitions('2025-01-14', '2025-01-16')$$,
    $$values (date '2025-01-14', 'awf.turn_events_20250114', false), ('2025-01-15', null, false),
    ('2025-01-16', 'awf.turn_events_20250116', false)$$,
    'a day that is gone gets none'
);
select results_eq(
    $$select * from awf.ensure_partitions('2024-02-28', '2024-03-01')$$,
    $$values (date '2024-02-28', 'awf.turn_events_20240228', true), ('2024-02-29', 'awf.turn_events_20240229', true),
    ('2024-03-01', 'awf.turn_events_20240301', true)$$,
    'a leap day has its partition'
);
select results_eq(
    $$select count(*), min(day) from awf.ensure_partitions('2025-02-08')$$, $$values (1::bigint, date '2025-02-08')$$,
    'the first day may be given alone'
);
select
    throws_ok(
        format('select * from awf.ensure_partitions(%L, %L)', r.p_from, r.p_to), r.code, r.message, 'refused: ' || r.message
    )
from (
    values
    ('2025-02-02', '2025-02-01', 'WF002', 'the range begins on 2025-02-02, after its end on 2025-02-01'),
    (null, '2025-01-31', 'WF002', 'the range begins on 2025-02-01, after its end on 2025-01-31'),
    ('-infinity', '2025-02-01', 'WF002', '-infinity to 2025-02-01 is no range of days'),
    ('2024-10-28', '2025-02-05', 'WF002', '2024-10-28 to 2025-02-05 are more than 100 days'),
    ('2025-02-01', '2025-02-09', 'WF203', '2025-02-01 to 2025-02-09 does not lie within 2015-02-04 to 2025-02-08'),
    ('2015-02-03', '2015-02-04', 'WF203', '2015-02-03 to 2015-02-04 does not lie within 2015-02-04 to 2025-02-08')
) as r (p_from, p_to, code, message);
select is_empty(
    $$select a.attname from pg_class as c
    inner join pg_attribute as a on a.attrelid = c.oid
    where c.relname = 'turn_events_20240229' and a.attname = any(string_to_array(awf._copy_columns(), ', '))
        and not has_column_privilege('awf_writer', c.oid, a.attname, 'insert')
    union all select relname from pg_class where relname = 'turn_events_20240229' and relacl is not null
        and exists (select from aclexplode(relacl) as x where x.grantee <> relowner)
    union all select 'guard' where not exists (
        select from pg_trigger where tgrelid = 'awf.turn_events_20240229'::regclass and tgname = 'guard_copy'
    )$$,
    'a partition made ahead has the rights and the guard of every other'
);

-- Midnight and the leap day: each event in the partition of its UTC day.
select awf.record_turn(pg_temp.event(e.ts, '{"session_id": "leap"}'))
from (
    values ('2024-02-28T23:59:59.999999Z'), ('2024-02-29T00:00:00Z'), ('2024-02-29T23:59:59.999999Z'), ('2024-03-01T00:00:00Z')
) as e (ts);
select results_eq(
    $$select tableoid::regclass::text, count(*) from awf.turn_events where session_id = 'leap' group by 1 order by 1$$,
    $$values ('awf.turn_events_20240228', 1::bigint), ('awf.turn_events_20240229', 2), ('awf.turn_events_20240301', 1)$$,
    'the events around a leap day lie in the partitions of their days'
);
select awf.refresh_rollups();
select is(awf._detach_day('2024-02-29')::text, 'awf.turn_events_20240229', 'a leap day can leave');
select results_eq(
    $$select ts from awf.turn_events where session_id = 'leap' order by ts$$,
    array['2024-02-28 23:59:59.999999+00', '2024-03-01 00:00+00']::timestamptz[], 'and takes its own events alone'
);
select is(awf._drop_day('2024-02-29'), true, 'and be dropped');

-- Retention.
select is_empty('select * from awf.apply_retention()', 'without a setting nothing goes');
select awf.set_setting('events_keep_days', '10');
select
    throws_ok(
        f.statement, 'WF106', 'events are kept for 10 days, but accepted up to an age of 3650 days',
        'refused while such events are accepted: ' || f.statement
    )
from (values ('select * from awf.apply_retention()'), ('select * from awf.apply_retention(true)')) as f (statement);
select
    throws_ok(
        f.statement, 'WF001', null, 'refused: ' || f.statement
    )
from (
    values ('select * from awf.apply_retention(null)'), ('select * from awf.apply_retention(false, -1)'),
    ('select * from awf.apply_retention(false, null)')
) as f (statement);
select is(pg_temp.partitions() @> '{20240228,20240301}', true, 'and nothing has gone');
select awf.set_setting('ingest_max_age_days', '10.5');
select throws_ok('select * from awf.apply_retention()', 'WF106', null, 'half a day too little is too little');
select awf.set_setting('ingest_max_age_days', '10');
-- Kept are 2025-01-22 and later: events of 2025-01-22 12:00 are still accepted.
select count(*) from awf.ensure_partitions('2025-01-22', '2025-01-22');
create temporary table days_before as
table awf.event_days;
create temporary table outcome (day date, events bigint, action text);
-- What a run says, but for sizes.
create function pg_temp.retention(p_dry_run boolean, p_max_days integer default 31)
returns setof outcome
language sql
as $$
    select r.day, r.events, r.action from awf.apply_retention(p_dry_run, p_max_days) as r
$$;
select results_eq(
    'select * from pg_temp.retention(true)',
    $$values
    (date '2025-01-15', 2::bigint, 'kept: not archived'),
    ('2024-02-28', 1, 'would drop'), ('2024-03-01', 1, 'would drop'), ('2025-01-14', 2, 'would drop'),
    ('2025-01-16', 5, 'would drop')$$,
    'a dry run says which days would go; a day that an archive has detached is none of them'
);
select bag_eq('table awf.event_days', 'table days_before', 'a dry run changes nothing');
select is(pg_temp.partitions() @> '{20240228,20240301,20250114,20250116,20250122}', true, 'not a partition');
select bag_eq(
    'select bytes > 0 as size, table_name from awf.apply_retention(true)',
    $$select true as size, 'awf.turn_events_' || d as table_name
    from unnest(array['20250115', '20240228', '20240301', '20250114', '20250116']) as d$$,
    'it names the tables and their sizes'
);
-- A batch that waits.
insert into awf.ingest_log (day, path, role_name) values ('2024-03-01', 'direct', 'x');
select results_eq(
    'select * from pg_temp.retention(true, 2)',
    $$values
    (date '2025-01-15', 2::bigint, 'kept: not archived'),
    ('2024-02-28', 1, 'would drop'), ('2024-03-01', 1, 'kept: waiting batches'), ('2025-01-14', 2, 'would drop'),
    ('2025-01-16', 5, 'kept: next run')$$,
    'a day with waiting batches stays and counts not among those that go'
);
select results_eq(
    'select * from pg_temp.retention(false, 0)',
    $$values
    (date '2025-01-15', 2::bigint, 'kept: not archived'),
    ('2024-02-28', 1, 'kept: next run'), ('2024-03-01', 1, 'kept: waiting batches'), ('2025-01-14', 2, 'kept: next run'),
    ('2025-01-16', 5, 'kept: next run')$$,
    'no more days go than are asked for'
);
select awf.set_setting('archive_required', 'true');
select results_eq(
    'select distinct action from awf.apply_retention()', array['kept: not archived'],
    'while archiving is on no attached day goes'
);
-- Its export is verified.
update awf.event_days set archived_at = now()
where day = '2025-01-15';
select results_eq(
    $$select * from pg_temp.retention(false) where action = 'dropped'$$, $$values (date '2025-01-15', 2::bigint, 'dropped')$$,
    'an archived day does, and no other'
);
select is(to_regclass('awf.turn_events_20250115'), null, 'its table is gone');
select awf.set_setting('archive_required', 'false');
insert into awf.event_days (day, state, restored_at) values ('2025-01-14', 'restored', now());
create temporary table all_totals as
table awf.daily_totals;
select results_eq(
    'select * from pg_temp.retention(false, 1)',
    $$values
    (date '2024-02-28', 1::bigint, 'dropped'), ('2024-03-01', 1, 'kept: waiting batches'),
    ('2025-01-14', 2, 'kept: restored'), ('2025-01-16', 5, 'kept: next run')$$,
    'retention drops the oldest first'
);
select awf.refresh_rollups();
select results_eq(
    'select * from pg_temp.retention(false)',
    $$values (date '2024-03-01', 1::bigint, 'dropped'), ('2025-01-14', 2, 'kept: restored'), ('2025-01-16', 5, 'dropped')$$,
    'the next run drops the others'
);
select is(
    pg_temp.partitions(),
    '{20250114,20250122,20250201,20250202,20250203,20250204,20250205,20250206,20250207,20250208}',
    'what is kept is there'
);
select bag_eq('table awf.daily_totals', 'table all_totals', 'the totals of the dropped days are, too');
select is(
    pg_temp.days(),
    '{"2024-02-28": "dropped", "2024-02-29": "dropped", "2024-03-01": "dropped", "2025-01-14": "restored",
    "2025-01-15": "dropped", "2025-01-16": "dropped"}',
    'the days that left are on record'
);
select is(
    pg_temp.error_of(format('select awf.record_turn(%L)', pg_temp.event('2025-01-16T00:00:00Z'))) ~ '^WF201.*ts_out_of_window',
    true,
    'an event of a dropped day is too old'
);
select awf.set_setting('events_keep_days', 'null');

-- Rejected events.
update awf.rejected_events set rejected_at = timestamptz '2025-01-22 12:00+00' - (id % 2) * interval '1 microsecond'
where id is not null;
create temporary table refused as
select
    count(*) filter (where r.id % 2 = 1) as old,
    count(*) filter (where r.id % 2 = 0) as young
from awf.rejected_events as r;
select ok((select r.old > 0 and r.young > 0 from refused as r), 'there are older and younger ones');
select is_empty('select * from awf.apply_retention()', 'without a setting refused events stay');
select awf.set_setting('rejected_keep_days', '10');
select results_eq(
    'select * from awf.apply_retention(true)',
    $$select null::date, 'awf.rejected_events', null::bigint, r.old, 'would delete' from refused as r$$, 'a dry run counts them'
);
select results_eq(
    'select * from awf.apply_retention(false)',
    $$select null::date, 'awf.rejected_events', null::bigint, r.old, 'deleted' from refused as r$$, 'the older ones go'
);
select is((select count(*) from awf.rejected_events), (select r.young from refused as r), 'the younger ones stay');
select is_empty('select * from awf.apply_retention(false)', 'then there is nothing to do');

-- The report.
select awf.ensure_partitions('2025-01-29', '2025-01-29');
select awf.record_turn(pg_temp.event('2025-01-29T10:00:00Z')) from generate_series(1, 15);
select awf.refresh_rollups();
set local role awf_reader;
select results_eq(
    'select distinct kind from awf.storage_report() order by kind',
    array['autovacuum', 'forecast', 'growth', 'locks', 'partition', 'table', 'total'], 'a reader sees all parts of the report'
);
reset role;
create temporary table report as
select * from awf.storage_report(); -- noqa: AM04
select results_eq(
    $$select total_bytes from report where kind = 'total'$$, $$select sum(total_bytes)::bigint from report where kind = 'table'$$,
    'the total is the sum of the tables'
);
select results_eq(
    $$select rows, heap_bytes, index_bytes, total_bytes from report where kind = 'table' and name = 'turn_events'$$,
    $$select sum(rows)::bigint, sum(heap_bytes)::bigint, sum(index_bytes)::bigint, sum(total_bytes)::bigint
    from report where kind = 'partition'$$,
    'the events are the sum of their days'
);
select results_eq(
    $$select distinct total_bytes - heap_bytes - index_bytes from report where kind in ('total', 'table', 'partition')$$,
    array[0::bigint], 'heap and indexes are the whole'
);
select bag_eq(
    $$select name from report where kind = 'table'$$,
    $$select c.relname::text from pg_class as c
    where c.relnamespace = 'awf'::regnamespace and c.relkind in ('p', 'r', 'm') and not c.relispartition$$,
    'every table is in it once'
);
select results_eq(
    $$select day, rows, bytes_per_row from report where kind = 'partition' and rows > 0 order by day$$,
    $$select date '2025-01-14', 2::bigint, round(total_bytes / 2.0, 1)
    from report where kind = 'partition' and day = '2025-01-14'
    union all select '2025-01-29', 15, round(total_bytes / 15.0, 1) from report where kind = 'partition' and day = '2025-01-29'
    union all select '2025-02-01', 1, total_bytes from report where kind = 'partition' and day = '2025-02-01'
    union all select '2025-02-02', 1, total_bytes from report where kind = 'partition' and day = '2025-02-02'$$,
    'a day has the events that the rollups count'
);
select results_eq(
    $$select rows, total_bytes, detail from report where kind = 'growth'$$,
    $$select 15 / 7::bigint, total_bytes / 7, 'days with events: 1, since 2025-01-25' from report
    where kind = 'partition' and day = '2025-01-29'$$,
    'growth is that of the last week, whatever is older'
);
create temporary view sizes as
select
    max(r.total_bytes) filter (where r.kind = 'total') as now,
    max(r.total_bytes) filter (where r.kind = 'growth') as growth
from report as r;
create function pg_temp.forecast(p_days integer)
returns bigint
language sql
as $$select r.total_bytes from awf.storage_report(p_days) as r where r.kind = 'forecast'$$;
select
    is(
        pg_temp.forecast(d.days),
        ((select g.now from sizes as g) + d.days * (select g.growth from sizes as g))::bigint,
        format('the forecast for %s days', d.days)
    )
from (values (0), (30)) as d (days);
select awf.set_setting('events_keep_days', '20');
select is(
    pg_temp.forecast(30),
    (
        (select g.now + 20 * g.growth from sizes as g)
        - (
            select sum(r.total_bytes) from report as r
            where r.kind = 'partition' and r.day < '2025-02-11'
        )
    )::bigint, 'in a forecast retention lets days go'
);
select results_eq(
    $$select r.day, r.detail from awf.storage_report(30) as r where kind = 'forecast'$$,
    $$values (date '2025-03-03', 'at this growth, events kept for 20 days')$$, 'and is named'
);
select awf.set_setting('events_keep_days', 'null');
select results_eq(
    $$select name from report where kind = 'autovacuum' order by name$$, array[
        'daily_totals', 'dimension_totals', 'experiment_moments', 'exposure_days', 'exposures', 'histograms', 'history_moments',
        'hourly_totals', 'ingest_log', 'locale_totals', 'player_days', 'unit_totals'
    ],
    'the often-updated tables have settings of their own'
);
select matches(
    (
        select r.detail from report as r
        where r.kind = 'autovacuum' and r.name = 'daily_totals'
    ),
    '^fillfactor=70, autovacuum_vacuum_scale_factor=0.05', 'which are shown'
);
select is(
    (
        select r.rows from report as r
        where r.kind = 'locks'
    ),
    7 * (1 + cardinality(pg_temp.partitions()))::bigint,
    'a question without a time range locks every partition with its six indexes'
);
select throws_ok(format('select * from awf.storage_report(%L)', d.days), 'WF001', null, format('refused: %s days', d.days))
from (values (null), (-1), (36501)) as d (days);
delete from awf.turn_events;
delete from awf.daily_totals;
select results_eq(
    $$select kind, rows, total_bytes, detail from awf.storage_report() where kind in ('growth', 'forecast')$$,
    $$values
    ('growth', null::bigint, null::bigint, 'no full day with events yet'),
    ('forecast', null, null, 'no full day with events yet')$$,
    'without events there is no growth'
);

-- A player who is forgotten while a day is detached.
select awf.refresh_rollups();
select count(*) from awf.ensure_partitions('2025-01-29', '2025-01-29');
select awf.record_turn(pg_temp.event('2025-01-29T10:00:00Z', p.changes))
from (values ('{}'::jsonb), ('{}'), (jsonb_build_object('player_hash', repeat('cd', 32)))) as p (changes);
select awf.refresh_rollups();
select is(awf._detach_day('2025-01-29')::text, 'awf.turn_events_20250129', 'a day of two players is detached');
update awf.event_days set archived_at = now(), archive_file = 'f', archive_rows = 3, archive_sha256 = repeat('a', 64)
where day = '2025-01-29';
select results_eq(
    $$select events, days from awf.forget_player(repeat('ef', 32))$$, 'values (0::bigint, 0)',
    'somebody who is not in it is forgotten'
);
select isnt_empty(
    $$select from awf.event_days where day = '2025-01-29' and archived_at is not null$$, 'and its archive is as good as before'
);
select results_eq(
    $$select events, days from awf.forget_player(repeat('ab', 32))$$, 'values (2::bigint, 0)', 'one of the two is forgotten'
);
select results_eq(
    $$select encode(player_hash, 'hex') from awf.turn_events_20250129$$, array[repeat('cd', 32)],
    'the detached day knows the other alone'
);
select is(
    (
        select concat(d.state, d.archived_at, d.archive_file, d.archive_rows, d.archive_sha256) from awf.event_days as d
        where d.day = '2025-01-29'
    ),
    'detached', 'and must be archived anew'
);

-- Rights.
select is(has_table_privilege(r.role_name, 'awf.event_days', 'select'), r.may, format('%s and event_days', r.role_name))
from (
    values ('awf_reader', true), ('awf_analyst', true), ('awf_admin', true), ('awf_writer', false)
) as r (role_name, may);
select is(has_function_privilege(r.role_name, f.name, 'execute'), false, format('%s cannot call %s', r.role_name, f.name))
from (values ('awf_reader'), ('awf_analyst'), ('awf_writer'), ('awf_admin')) as r (role_name)
cross join (values ('awf._detach_day(date)'), ('awf._drop_day(date)')) as f (name);

select finish();
rollback;
