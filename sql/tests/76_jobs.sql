-- Jobs: what is due, what a run leaves behind, what a failure does not touch.
begin;
select plan(82);

set local client_min_messages = 'warning';
select awf.create_roles();
create role pgtap_none;
set local role awf_owner;
create or replace function awf._now() returns timestamptz language sql stable parallel safe
return coalesce(nullif(current_setting('test.now', true), '')::timestamptz, timestamptz '2025-02-01 12:00:30+00');
reset role;
create function pg_temp.at(p_time text) returns void language sql
as $$select set_config('test.now', p_time, true)$$;

-- The jobs themselves.
select results_eq(
    'select name, schedule, every, enabled from awf.jobs order by place',
    $$values ('experiments', '* * * * *', interval '1 minute', true), ('refresh', '* * * * *', '1 minute', true),
    ('partitions', '17 0 * * *', '1 day', true), ('views', '*/5 * * * *', '5 minutes', true),
    ('retention', '37 2 * * *', '1 day', true)$$,
    'five jobs, in the order of a round'
);
select is_empty(
    $$select j.name from awf.jobs as j where not exists (
        select from pg_proc as p where p.pronamespace = 'awf'::regnamespace and p.proname = '_job_' || j.name
        and p.pronargs = 0 and p.prorettype = 'bigint'::regtype
    )$$,
    'each has its function'
);
select is_empty(
    $$select p.proname from pg_proc as p where p.pronamespace = 'awf'::regnamespace and p.proname ~ '^_job_'
    and p.pronargs = 0 and not exists (select from awf.jobs as j where '_job_' || j.name = p.proname)$$,
    'and each function its job'
);
select
    throws_ok(
        format('insert into awf.jobs (name, place, schedule, every, description) values (%L, 1, %L, %L, %L)', n, 's', e, 'd'),
        '23514'
    )
from
    (
        values ('x; y', '1 day'),
        ('X', '1 day'),
        ('', '1 day'),
        ('x', '0 days'),
        ('x', '1 month'),
        ('x', '-1 day'),
        ('x', '1 year')
    ) as v (n, e);

-- When a job is due again.
select is(awf._job_due_at(v.every::interval, v.last::timestamptz), v.due::timestamptz, format('every %s, %s', v.every, v.what))
from (
    values
    ('1 minute', '2025-02-01 12:00:30+00', '2025-02-01 12:01+00', 'in the middle'),
    ('1 minute', '2025-02-01 12:00+00', '2025-02-01 12:01+00', 'at the very beginning'),
    ('1 day', '2025-02-01 23:59:59.999999+00', '2025-02-02 00:00+00', 'right before midnight'),
    ('1 day', '2025-02-02 00:00+00', '2025-02-03 00:00+00', 'at midnight'),
    ('1 day', '2024-02-28 12:00+00', '2024-02-29 00:00+00', 'before a leap day'),
    ('1 day', '2024-02-29 12:00+00', '2024-03-01 00:00+00', 'on a leap day'),
    ('7 days', '2025-02-02 12:00+00', '2025-02-03 00:00+00', 'on a Sunday'),
    ('1 day', null, null, 'never run')
) as v (every, last, due, what);
set local timezone = 'America/New_York';
select is(
    awf._job_due_at('1 day', '2025-03-09 12:00+00'),
    timestamptz '2025-03-10 00:00+00',
    'a day is one of UTC, whatever the clocks do'
);
reset timezone;

-- A round: nothing has run yet, so all are due.
set local role awf_admin;
select results_eq(
    'select name, due, due_at = awf._now() from awf.list_jobs()',
    $$values ('experiments', true, true), ('refresh', true, true), ('partitions', true, true), ('views', true, true),
    ('retention', true, true)$$,
    'at first every job is due'
);
select results_eq(
    'select job, outcome, rows, code, error from awf.run_jobs()',
    $$values ('experiments', 'done', 0::bigint, null, null), ('refresh', 'done', 0, null, null),
    ('partitions', 'done', 8, null, null), ('views', 'done', 0, null, null),
    ('retention', 'done', 0, null, null)$$,
    'a round runs them'
);
select results_eq(
    'select job, rows, code, error, scheduler, started_at >= awf._now(), duration_ms >= 0 from awf.list_job_runs() order by id',
    $$values ('experiments', 0::bigint, null, null, 'awf_admin', true, true), ('refresh', 0, null, null, 'awf_admin', true, true),
    ('partitions', 8, null, null, 'awf_admin', true, true), ('views', 0, null, null, 'awf_admin', true, true),
    ('retention', 0, null, null, 'awf_admin', true, true)$$,
    'and writes them to the log'
);
select is_empty('select * from awf.run_jobs()', 'a second round finds nothing to do');
select is((select outcome from awf.run_job('refresh', true)), 'not due', 'nor does a job that is to run when it is due');
select is((select outcome from awf.run_job('refresh', p_scheduler => 'pg_cron')), 'done', 'asked for as such it runs');
select is((select scheduler from awf.list_job_runs('refresh', 1)), 'pg_cron', 'and the log says who ran it');
select pg_temp.at('2025-02-01 12:01:00+00');
select
    results_eq(
        'select job from awf.run_jobs()', $$values ('experiments'), ('refresh')$$, 'a minute later those of the minute are due'
    );
select pg_temp.at('2025-02-01 23:59:59+00');
select
    results_eq(
        'select job from awf.run_jobs()',
        $$values ('experiments'), ('refresh'), ('views')$$,
        'those of the day are not, right before midnight'
    );
select pg_temp.at('2025-02-02 00:00:00+00');
select results_eq(
    'select job, rows from awf.run_jobs()',
    $$values ('experiments', 0::bigint), ('refresh', 0), ('partitions', 1), ('views', 0), ('retention', 0)$$,
    'but are at midnight (UTC), and one more partition is made'
);
select is((
    select due_at from awf.list_jobs()
    where name = 'retention'
), timestamptz '2025-02-03 00:00+00', 'then the next day');

-- The job "refresh".
reset role;
select pg_temp.at('2025-02-02 12:00:30+00');
select awf.record_turn('{"session_id": "s1", "player_hash": "abababababababababababababababababababababababababababababababab",
    "world_ref": "w", "adventure_ref": "a", "ts": "2025-02-01T10:00:00Z"}') from generate_series(1, 3);
set local role awf_admin;
select is((select rows from awf.run_job('refresh')), 3::bigint, 'refresh counts the events that it has added');
select is((select(awf.analytics_stats() #>> '{batches,waiting}')), '0', 'and leaves none');

-- The job "experiments".
select awf.create_experiment(k, k, '[{"variation": "a", "percent": 100}]', p_stop_at => s::timestamptz)
from
    (
        values ('ends', '2025-02-02 13:00+00'),
        ('later', '2025-02-03 13:00+00'),
        ('never', null),
        ('draft', '2025-02-02 13:00+00')
    ) as v (k, s);
select awf.create_variation(k, 'a', format('{"%s": 3}', p)::jsonb)
from (values ('ends', 'maxActs'), ('later', 'maxChoices'), ('never', 'toolMaxCalls'), ('draft', 'maxActs')) as v (k, p);
select awf.set_ramp(
    'later', '[{"coverage": 0.1, "at": "2025-02-02T12:30:00Z"}, {"coverage": 0.5, "at": "2025-02-02T14:00:00Z"}]'
);
select awf.create_layer('l', 'session');
select awf.update_experiment('ends', '{"layer": "l", "slots": [0, 500], "coverage": 0.3}');
select awf.start_experiment(k) from (values ('ends'), ('later'), ('never')) as v (k);
select is((select rows from awf.run_job('experiments')), 0::bigint, 'nothing has come to its end');
select pg_temp.at('2025-02-02 12:59:59.9+00');
select is((select rows from awf.run_job('experiments')), 0::bigint, 'right before the end either');
create temporary table revision_before as select (awf.active_config() ->> 'revision')::bigint as revision;
select pg_temp.at('2025-02-02 13:00:00+00');
select is(awf.get_experiment('ends') ->> 'state', 'ended', 'at its end nobody is in any more, without a job');
select results_eq(
    $$select holder from awf.layer_map('l')$$, $$values ('free')$$, 'and its slots are free, without a job'
);
select is((select rows from awf.run_job('experiments')), 1::bigint, 'the job stops what has ended');
select results_eq(
    $$select key, status, state, stop_at, coverage from awf.list_experiments() where key <> 'awf-default-test'$$,
    $$values ('draft', 'draft', 'draft', timestamptz '2025-02-02 13:00+00', 1::double precision),
    ('ends', 'stopped', 'stopped', '2025-02-02 13:00+00', 0.3), ('later', 'running', 'running', '2025-02-03 13:00+00', 0.1),
    ('never', 'running', 'running', null, 1)$$,
    'with the end that was planned, and nothing else'
);
select results_eq(
    $$select x ->> 'key' from jsonb_array_elements(awf.active_config() -> 'experiments') as x order by 1$$,
    $$values ('later'), ('never')$$, 'the clients carry it no more'
);
select ok((awf.active_config() ->> 'revision')::bigint > (select revision from revision_before), 'and are told');
select is((select rows from awf.run_job('experiments')), 0::bigint, 'once');
select pg_temp.at('2025-02-02 14:00:00+00');
select
    is((
        select coverage from awf.list_experiments()
        where key = 'later'
    ), 0.5::double precision, 'a step of a ramp needs no job');

-- A job that fails.
reset role;
insert into awf.jobs (name, place, schedule, every, description) values
('first', 1, '* * * * *', '1 minute', 'Fails.'), ('absent', 50, '* * * * *', '1 minute', 'Has no function.'),
('slow', 60, '* * * * *', '1 minute', 'Takes long.');
create function awf._job_first() returns bigint language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    insert into awf.locks (name) values ('trace');
    raise exception using errcode = 'WF106', message = 'player ' || repeat('0a', 32) || ' of 01940000-0000-7000-8000-000000000001',
        detail = 'player-17', hint = 'player-17';
end;
$$;
create function awf._job_slow() returns bigint language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    perform pg_sleep(60);
    return 1;
end;
$$;
alter function awf._job_first() owner to awf_owner;
alter function awf._job_slow() owner to awf_owner;
set local role awf_admin;
select awf.set_job('slow', false);
select results_eq(
    'select job, outcome, rows, code, error from awf.run_jobs()',
    $$values ('first', 'failed', null::bigint, 'WF106', 'player ... of ...'), ('experiments', 'done', 0, null, null),
    ('refresh', 'done', 0, null, null), ('views', 'done', 0, null, null),
    ('absent', 'failed', null, '42883', 'function awf._job_absent() does not exist')$$,
    'a job that fails does not stop the others, and its message names no player'
);
reset role;
select is_empty($$select * from awf.locks where name = 'trace'$$, 'what it did is undone');
set local role awf_admin;
select results_eq(
    $$select rows, code, error from awf.list_job_runs('first')$$, $$values (null::bigint, 'WF106', 'player ... of ...')$$,
    'the failure is in the log'
);
select is(
    awf.analytics_stats() #> '{jobs,first}' ->> 'lastError', 'WF106: player ... of ...', 'and in the state of the pipeline'
);
select is(awf.analytics_stats() #>> '{jobs,first,failing}', 'true', 'which says that it fails');
select is(awf.analytics_stats() #>> '{jobs,refresh,failing}', 'false', 'and that another does not');
select is(awf.analytics_stats() #>> '{jobs,slow,enabled}', 'false', 'and that one is disabled');
reset role;
create or replace function awf._job_first() returns bigint language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    return 7;
end;
$$;
set local role awf_admin;
select is((select rows from awf.run_job('first')), 7::bigint, 'repaired it runs again');
select is(awf.analytics_stats() #>> '{jobs,first,failing}', 'false', 'and fails no more');
select
    is(
        awf.analytics_stats() #> '{jobs,first}' ->> 'lastError', 'WF106: player ... of ...', 'though the last error is still told'
    );

-- A run that takes too long or is cancelled.
select is((select outcome from awf.run_job('slow')), 'disabled', 'a disabled job does not run');
select is((
    select due_at from awf.list_jobs()
    where name = 'slow'
), null, 'and is never due');
select awf.set_job('slow', true);
set local statement_timeout = '200ms';
select results_eq(
    $$select outcome, rows, code, error from awf.run_job('slow')$$,
    $$values ('failed', null::bigint, '57014', 'canceling statement due to statement timeout')$$,
    'a run that is cut off is a failed one'
);
reset statement_timeout;
select is((select code from awf.list_job_runs('slow')), '57014', 'and in the log');

-- Which messages may be kept.
reset role;
select is(awf._job_error(c, m), e, m)
from (
    values
    ('22P02', 'invalid input syntax for type uuid: "player-17"', 'invalid input syntax for type uuid ...'),
    ('22P02', 'invalid input syntax for type integer: "a: b "c""', 'invalid input syntax for type integer ...'),
    ('22007', 'date "player-17" is wrong', 'date ... is wrong'),
    ('42P01', 'relation "awf.x" does not exist', 'relation "awf.x" does not exist'),
    ('XX000', 'bytes \x0123456789abcdef0123', 'bytes \x...'),
    ('P0001', repeat('x', 600), repeat('x', 500))
) as v (c, m, e);

-- Settings of a job.
set local role awf_admin;
select throws_ok(format('select awf.set_job(%s)', a), c) from (
    values ($$'none', true$$, 'WF405'), ($$null, true$$, 'WF405'), ($$'refresh', p_schedule => 'often'$$, 'WF001'),
    ($$'refresh', p_schedule => '* * * *'$$, 'WF001'),
    ($$'refresh', p_every => '0'$$, 'WF001'),
    ($$'refresh', p_every => '1 month'$$, 'WF001')
) as v (a, c);
select lives_ok($$select awf.set_job('refresh', p_schedule => '10 seconds', p_every => '10 seconds')$$, 'a job gets other times');
select results_eq(
    $$select schedule, every, enabled from awf.list_jobs() where name = 'refresh'$$,
    $$values ('10 seconds', interval '10 seconds', true)$$, 'and keeps what was not given'
);
select throws_ok($$select * from awf.run_job('none')$$, 'WF405', 'there is no job "none"');
select throws_ok($$select * from awf.run_job(null)$$, 'WF405');
select throws_ok($$select * from awf.list_job_runs('none')$$, 'WF405');
select throws_ok($$select * from awf.list_job_runs(p_limit => -1)$$, 'WF001');
select is_empty('select * from awf.list_job_runs(p_limit => 0)', 'a limit of none lists none');

-- The log is kept for so many days, and the newest run of each job for ever.
select awf.set_setting('job_log_keep_days', '2');
select pg_temp.at('2025-02-10 00:00:00+00');
select lives_ok($$select awf.run_job('refresh')$$, 'days later');
select results_eq(
    'select job, count(*) from awf.list_job_runs() group by job order by job collate "C"',
    $$values ('absent', 1::bigint), ('experiments', 1), ('first', 1), ('partitions', 1), ('refresh', 1), ('retention', 1),
    ('slow', 1), ('views', 1)$$,
    'the old runs have gone'
);
select awf.set_setting('job_log_keep_days', 'null');
select pg_temp.at('2035-02-10 00:00:00+00');
select awf.run_job('refresh');
select is((select count(*) from awf.list_job_runs('refresh')), 2::bigint, 'without the setting they stay');

-- Statements for pg_cron in another database.
select awf.set_job('slow', false);
select results_eq(
    $$select * from awf.cron_statements('pgtap_none') as s where s like '%refresh%'$$,
    format(
        $$values (%L)$$, format(
            'select cron.schedule_in_database(%L, %L, %L, %L, %L);', format('awf refresh (%s)', current_database()), '10 seconds',
            'SELECT awf.run_job(''refresh'', p_scheduler => ''pg_cron'')', current_database(), 'pgtap_none'
        )
    ),
    'a statement schedules a job from elsewhere'
);
select
    is(
        (select count(*) from awf.cron_statements()),
        8::bigint,
        'one for each job that is enabled, and one that takes back what was'
    );
select is((select count(*) from awf.cron_statements(p_remove => true)), 1::bigint, 'or that one alone');
select throws_ok($$select s from awf.cron_statements('nobody-there') as s$$, 'WF404');

select finish();
rollback;
