-- Partitions: made ahead and on demand, detached, dropped; what a day that is gone means for every way of ingest.
begin;
select plan(79);

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
select throws_ok(
    format('select awf.set_setting(%L, %L)', b.name, b.value), 'WF001', null, format('%s cannot be %s', b.name, b.value)
)
from (
    values
    ('archive_required', '1'), ('archive_required', '"true"'), ('archive_required', 'null'),
    ('partitions_ahead_days', 'null'), ('partitions_ahead_days', '367'), ('partitions_ahead_days', '-1'),
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
select is(
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
select is(
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
        'select * from awf.retry_rejected()', format('values (0, 0, %s)', v_rejected), p_state || ': a second try changes nothing'
    );
    return next is((select count(*) from awf.rejected_events), v_rejected, p_state || ': and keeps them');
    return next throws_ok($s$select * from awf.rollup_daily('2025-01-15')$s$, 'WF301', null, p_state || ': a recompute is refused');
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
    pg_temp.error_of($$select awf._detach_day('2025-01-15')$$), 'WF301 the events of 2025-01-15 are gone: the day takes no others',
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
