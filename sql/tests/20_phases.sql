-- The timeline of an experiment: starts, stops, ramps, phases; and who changed what first (revisions).
begin;
select plan(236);

set local client_min_messages = 'warning';
set local timezone = 'America/New_York'; -- times must not depend on it
create function pg_temp.now_is(p_at timestamptz)
returns void
language plpgsql
as $$
begin
    execute format(
        'create or replace function awf._now() returns timestamptz language sql stable parallel safe return %L::timestamptz',
        p_at
    );
end;
$$;
-- The timeline in one line a row, in days of February 2025 (UTC).
create function pg_temp.timeline(p_key text)
returns setof text
language sql
as $$
    select format(
        '%s: phase %s, %s at %s', to_char(p.start_at at time zone 'UTC', 'MM-DD HH24'), p.phase,
        case when p.running then 'runs' else 'stopped' end, p.coverage
    )
    from awf.experiment_phases as p
    inner join awf.experiments as e on p.experiment_id = e.id
    where e.key = p_key
    order by p.start_at
$$;
create function pg_temp.make(p_key text, p_knob text default 'maxActs', p_settings jsonb default '{}')
returns void
language plpgsql
as $$
begin
    perform awf.create_experiment(
        p_key, p_key, '[{"variation": "a", "percent": 50}, {"variation": "b", "percent": 50}]', p_settings => p_settings
    );
    perform awf.create_variation(p_key, 'a', jsonb_build_object(p_knob, 3));
    perform awf.create_variation(p_key, 'b', jsonb_build_object(p_knob, 4));
end;
$$;
create function pg_temp.error_of(p_statement text)
returns table (code text, detail text, hint text)
language plpgsql
as $$
begin
    execute p_statement;
    return query select 'it ran', null::text, null::text;
exception
    when others then
        get stacked diagnostics detail = pg_exception_detail, hint = pg_exception_hint;
        code := sqlstate;
        return next;
end;
$$;
select pg_temp.now_is('2025-02-01 00:00+00');

-- A plain life.
select pg_temp.make('life');
select is_empty($$select pg_temp.timeline('life')$$, 'a draft has no timeline');
select is(awf.get_experiment('life') ->> 'state', 'draft', 'its state is draft');
select is(awf.start_experiment('life') ->> 'state', 'running', 'a start without a time runs at once');
select results_eq(
    $$select pg_temp.timeline('life')$$, $$values ('02-01 00: phase 1, runs at 1')$$, 'and writes the first row'
);
select is(
    (
        select p.ranges from awf.experiment_phases as p
        inner join awf.experiments as e on p.experiment_id = e.id and e.key = 'life'
    ), '[[0, 0.5], [0.5, 1]]', 'with its ranges'
);
select pg_temp.now_is('2025-02-02 00:00+00');
select awf.update_experiment('life', '{"coverage": 0.5}');
select awf.update_experiment('life', '{"coverage": 0.6}');
select results_eq(
    $$select pg_temp.timeline('life')$$,
    $$values ('02-01 00: phase 1, runs at 1'), ('02-02 00: phase 1, runs at 0.6')$$,
    'a new coverage is a row from now on; two changes at one moment are one row'
);
select pg_temp.now_is('2025-02-03 00:00+00');
select awf.update_experiment('life', '{"name": "Life", "stopAt": "2025-02-10", "hypothesis": "h", "coverage": 0.6}');
select results_eq(
    $$select pg_temp.timeline('life')$$,
    $$values ('02-01 00: phase 1, runs at 1'), ('02-02 00: phase 1, runs at 0.6'), ('02-10 00: phase 1, stopped at 0.6')$$,
    'an end is planned ahead; what does not assign writes nothing'
);
select awf.update_experiment('life', '{"stopAt": "2025-02-08"}');
select awf.update_experiment('life', '{"stopAt": null}');
select is((select count(*) from pg_temp.timeline('life')), 2::bigint, 'a plan that is taken back is gone');
select throws_ok(
    $$select awf.update_experiment('life', '{"stopAt": "2025-02-02T12:00:00Z"}')$$, 'WF002',
    'experiment "life" cannot stop in the past', 'a running experiment cannot have stopped already'
);
select pg_temp.now_is('2025-02-04 00:00+00');
select is(awf.stop_experiment('life', 'It was enough.') ->> 'conclusion', 'It was enough.', 'a stop may say what came of it');
select results_eq(
    $$select pg_temp.timeline('life') offset 2$$, $$values ('02-04 00: phase 1, stopped at 0.6')$$, 'a stop is a row'
);
select pg_temp.now_is('2025-02-05 00:00+00');
select awf.update_experiment('life', '{"coverage": 0.7, "stopAt": "2025-03-01", "owner": "ana"}');
select is((select count(*) from pg_temp.timeline('life')), 3::bigint, 'a change of a stopped experiment writes no row');
select is(awf.start_experiment('life') -> 'stopAt' <> 'null', true, 'started again it keeps an end that was given since');
select results_eq(
    $$select pg_temp.timeline('life') offset 3$$,
    $$values ('02-05 00: phase 1, runs at 0.7'), ('03-01 00: phase 1, stopped at 0.7')$$,
    'a restart runs from now on, in the same phase'
);
select is(awf.get_experiment('life') ->> 'conclusion', 'It was enough.', 'and keeps the conclusion');
select is(awf.stop_experiment('life') ->> 'conclusion', 'It was enough.', 'as a stop without another one does');
select results_eq(
    $$select pg_temp.timeline('life') offset 2$$,
    $$values ('02-04 00: phase 1, stopped at 0.6')$$, 'a start and a stop at one moment leave no trace'
);
select throws_ok(
    format('select awf.stop_experiment(%L, %L)', 'life', repeat('x', 10001)), 'WF001', null, 'a conclusion has an end'
);

-- Ended, and prolonged.
select pg_temp.now_is('2025-02-06 00:00+00');
select awf.start_experiment('life');
select awf.update_experiment('life', '{"stopAt": "2025-02-07"}');
select pg_temp.now_is('2025-02-07 00:00+00');
select is(awf.get_experiment('life') ->> 'state', 'ended', 'at its end an experiment has ended');
select pg_temp.now_is('2025-02-09 00:00+00');
select is(awf.get_experiment('life') ->> 'state', 'ended', 'when its end has come, an experiment has ended');
select is(awf.get_experiment('life') ->> 'status', 'running', 'its status is what somebody did last');
select throws_ok($$select awf.open_phase('life')$$, 'WF106', 'experiment "life" is not running', 'it opens no phase');
select throws_ok($$select awf.advance_ramp('life')$$, 'WF106', 'experiment "life" is not running', 'and takes no step');
select awf.update_experiment('life', '{"coverage": 0.8}');
select awf.update_experiment('life', '{"stopAt": "2025-02-20"}');
select results_eq(
    $$select pg_temp.timeline('life') offset 3$$,
    $$values ('02-06 00: phase 1, runs at 0.7'), ('02-07 00: phase 1, stopped at 0.7'), ('02-09 00: phase 1, runs at 0.8'),
    ('02-20 00: phase 1, stopped at 0.8')$$,
    'a later end makes it run from now on; it did not run in between'
);
select pg_temp.now_is('2025-02-21 00:00+00');
select awf.stop_experiment('life');
select is((select count(*) from pg_temp.timeline('life')), 7::bigint, 'a stop after the end adds nothing');
select is((awf.get_experiment('life') ->> 'stopAt')::timestamptz, timestamptz '2025-02-20 00:00+00', 'and keeps the end');
select is(
    (
        select jsonb_agg(p -> 'running' order by p -> 'startAt')
        from jsonb_array_elements(awf.get_experiment('life') -> 'phases') as p
    ), '[true, true, false, true, false, true, false]', 'the document shows the timeline'
);
select results_eq(
    $$select distinct p ->> 'endAt' is null from jsonb_array_elements(awf.get_experiment('life') -> 'phases') as p
    order by 1$$, $$values (false), (true)$$, 'with the end of each stretch but the last'
);

select lives_ok(
    $$select awf.update_experiment('life', '{"startAt": "2025-02-01", "stopAt": "2025-02-20T01:00:00+01:00"}')$$,
    'a time that is given back in other words is no change'
);
select throws_ok(
    $$select awf.update_experiment('life', '{"startAt": "soon"}')$$, 'WF106', null, 'what is no time is one'
);

-- A replay, and a schedule.
select awf.create_experiment('replay', 'R', '[{"variation": "a", "percent": 100}]', p_start_at => '2025-01-01 00:00+00');
select awf.create_variation('replay', 'a');
select awf.start_experiment('replay');
select results_eq(
    $$select pg_temp.timeline('replay')$$, $$values ('01-01 00: phase 1, runs at 1')$$, 'a first start may lie in the past'
);
select pg_temp.now_is('2025-02-01 00:00+00');
select awf.create_experiment(
    'later', 'L', '[{"variation": "a", "percent": 100}]', p_start_at => '2025-02-05 00:00+00',
    p_stop_at => '2025-02-20 00:00+00'
);
select awf.create_variation('later', 'a');
select is(awf.start_experiment('later') ->> 'state', 'scheduled', 'a start ahead is scheduled');
select results_eq(
    $$select pg_temp.timeline('later')$$,
    $$values ('02-05 00: phase 1, runs at 1'), ('02-20 00: phase 1, stopped at 1')$$, 'with both ends of its life'
);
select awf.update_experiment('later', '{"coverage": 0.4}');
select results_eq(
    $$select pg_temp.timeline('later')$$,
    $$values ('02-05 00: phase 1, runs at 0.4'), ('02-20 00: phase 1, stopped at 0.4')$$, 'a change counts from its start on'
);
select awf.open_phase('later', '{"hashSeed": "other"}');
select results_eq(
    $$select pg_temp.timeline('later')$$,
    $$values ('02-05 00: phase 2, runs at 0.4'), ('02-20 00: phase 2, stopped at 0.4')$$, 'and so does a phase'
);
select is(awf.stop_experiment('later') ->> 'state', 'stopped', 'it can be stopped before it begins');
select is_empty($$select pg_temp.timeline('later')$$, 'and then it never was');
select pg_temp.now_is('2025-02-08 00:00+00');
select awf.start_experiment('later');
select results_eq(
    $$select pg_temp.timeline('later')$$,
    $$values ('02-08 00: phase 2, runs at 0.4'), ('02-20 00: phase 2, stopped at 0.4')$$,
    'started after its time it runs from now on, up to the end that was planned'
);
select is(
    (awf.get_experiment('later') ->> 'startAt')::timestamptz, timestamptz '2025-02-08 00:00+00', 'and now is when it began'
);

-- A transaction that began earlier comes after one that began later: what the other wrote is not undone.
select pg_temp.make('race', 'toolMaxCalls');
select awf.start_experiment('race');
select pg_temp.now_is('2025-02-09 02:00+00');
select awf.update_experiment('race', '{"coverage": 0.5}');
select pg_temp.now_is('2025-02-09 01:00+00');
select awf.stop_experiment('race');
select results_eq(
    $$select pg_temp.timeline('race')$$,
    $$values ('02-08 00: phase 1, runs at 1'), ('02-09 02: phase 1, stopped at 0.5')$$,
    'the later change takes the place of the one at that moment, and none lies before it'
);

-- Ramps: refusals.
select pg_temp.now_is('2025-02-01 00:00+00');
select pg_temp.make('ramp', 'maxChoices');
select
    throws_ok(
        format('select awf.set_ramp(%L, %L)', 'ramp', r.steps), 'WF121', 'ramp of experiment "ramp" ' || r.message,
        'a ramp is refused: ' || r.what
    )
from (
    values
    (null, 'is NULL, not a list', 'NULL'),
    ('null', 'is null, not a list', 'null'),
    ('{}', 'is {}, not a list', 'an object'),
    ('5', 'is 5, not a list', 'a number'),
    ('[0.5]', 'has a step 0.5 that is not an object', 'a list of numbers'),
    ('[{"at": null}]', 'has a step {"at": null} without a coverage', 'no coverage'),
    ('[{"coverage": "1"}]', 'has a step {"coverage": "1"} without a coverage', 'a coverage in quotes'),
    ('[{"coverage": null}]', 'has a step {"coverage": null} without a coverage', 'null for a coverage'),
    ('[{"coverage": 1.5}]', 'has a step {"coverage": 1.5} whose coverage is not within 0 and 1', 'a coverage above 1'),
    ('[{"coverage": -1e400}]', null, 'a huge number'),
    ('[{"coverage": 1, "at": "soon"}]', 'has a step {"at": "soon", "coverage": 1} whose time is none', 'a word for a time'),
    (
        '[{"coverage": 1, "at": "infinity"}]', 'has a step {"at": "infinity", "coverage": 1} whose time is none',
        'a time without an end'
    ),
    ('[{"coverage": 1, "at": 5}]', 'has a step {"at": 5, "coverage": 1} whose time is none', 'a number for a time'),
    ('[{"coverage": 1, "when": null}]', 'has a step {"when": null, "coverage": 1} with an unknown field', 'an unknown field'),
    (
        '[{"coverage": 0.5}, {"coverage": 0.5}]', 'has a step {"coverage": 0.5} that does not rise above the step before',
        'a step that does not rise'
    ),
    (
        '[{"coverage": 0.5}, {"coverage": 1, "at": "2025-02-02"}]',
        'has a step {"at": "2025-02-02", "coverage": 1} that mixes steps at a time and steps on demand', 'a mixed plan'
    ),
    (
        '[{"coverage": 0.5, "at": "2025-02-02"}, {"coverage": 1, "at": "2025-02-01"}]',
        'has a step {"at": "2025-02-01", "coverage": 1} that is not later than the step before', 'times that fall'
    ),
    (
        '[{"coverage": 0.5, "at": "2025-02-02"}, {"coverage": 1, "at": "2025-02-02T00:00:00Z"}]',
        'has a step {"at": "2025-02-02T00:00:00Z", "coverage": 1} that is not later than the step before', 'one time twice'
    )
) as r (steps, message, what);
select throws_ok(
    $$select awf.set_ramp(
        'ramp', (select jsonb_agg(jsonb_build_object('coverage', i / 200.0)) from generate_series(1, 101) as i)
    )$$,
    'WF121', 'ramp of experiment "ramp" has 101 steps, more than 100', 'a ramp has an end'
);
select throws_ok(
    $$select awf.create_experiment('ramped', 'R', p_settings => '{"ramp": 5}')$$, 'WF121',
    'ramp of experiment "ramped" is 5, not a list', 'a new experiment is held to the same'
);
select is(
    awf.create_experiment('ramped', 'R', p_settings => '{"ramp": [{"coverage": 1e-400}, {"coverage": 0.5}]}') -> 'ramp',
    '[{"at": null, "coverage": 0}, {"at": null, "coverage": 0.5}]', 'a step too small for a number is zero'
);
select throws_ok(
    $$select awf.update_experiment('ramped', '{"ramp": []}')$$, 'WF001', 'experiment "ramped": ramp cannot be changed here',
    'a ramp changes by set_ramp()'
);
select throws_ok($$select awf.advance_ramp('ramp')$$, 'WF106', 'experiment "ramp" is not running', 'a draft takes no step');

-- Ramps at times: nobody is in until the first step, each step is a row ahead.
select is(
    awf.set_ramp(
        'ramp', '[{"coverage": 0.01, "at": "2025-02-02T00:00:00Z"}, {"coverage": 0.25, "at": "2025-02-03"},
        {"coverage": 1, "at": "2025-02-04T02:00:00+02:00"}]'
    ) -> 'ramp',
    '[{"at": "2025-02-02T00:00:00+00:00", "coverage": 0.01}, {"at": "2025-02-03T00:00:00+00:00", "coverage": 0.25},
    {"at": "2025-02-04T00:00:00+00:00", "coverage": 1}]', 'a ramp is kept in UTC'
);
select is(awf.get_experiment('ramp') -> 'coverage', '1', 'the coverage of the draft stays as it is');
select is(awf.start_experiment('ramp') -> 'coverage', '0', 'it starts without anybody');
select results_eq(
    $$select pg_temp.timeline('ramp')$$,
    $$values ('02-01 00: phase 1, runs at 0'), ('02-02 00: phase 1, runs at 0.01'), ('02-03 00: phase 1, runs at 0.25'),
    ('02-04 00: phase 1, runs at 1')$$,
    'and goes up step by step'
);
select throws_ok(
    $$select awf.update_experiment('ramp', '{"coverage": 0.5}')$$, 'WF106', 'the coverage of experiment "ramp" goes by its ramp',
    'the coverage goes by its ramp as long as steps are to come'
);
select throws_ok(
    $$select awf.open_phase('ramp', '{"coverage": 0.5}')$$, 'WF106', 'the coverage of experiment "ramp" goes by its ramp',
    'for a phase, too'
);
select throws_ok(
    $$select awf.advance_ramp('ramp')$$, 'WF106', 'experiment "ramp" has a ramp that goes by its times', 'nobody hurries it'
);
select pg_temp.now_is('2025-02-03 12:00+00');
select is(awf.get_experiment('ramp') -> 'coverage', '0.25', 'the document shows where it has come to');
select results_eq(
    $$select coverage from awf.list_experiments() where key = 'ramp'$$, $$values (0.25::float8)$$, 'and so does the list'
);
select awf.update_experiment('ramp', '{"stopAt": "2025-02-03T18:00:00Z"}');
select results_eq(
    $$select pg_temp.timeline('ramp') offset 2$$,
    $$values ('02-03 00: phase 1, runs at 0.25'), ('02-03 18: phase 1, stopped at 0.25')$$,
    'steps behind the end never come'
);
select awf.update_experiment('ramp', '{"stopAt": null}');
select awf.open_phase('ramp');
select results_eq(
    $$select pg_temp.timeline('ramp') offset 2$$,
    $$values ('02-03 00: phase 1, runs at 0.25'), ('02-03 12: phase 2, runs at 0.25'), ('02-04 00: phase 2, runs at 1')$$,
    'without that end they come again; a phase does not disturb them'
);
select
    throws_ok(
        format('select awf.set_ramp(%L, %L)', 'ramp', r.steps), 'WF121', 'ramp of experiment "ramp" ' || r.message,
        'a ramp of a running experiment is refused: ' || r.what
    )
from (
    values
    ('[{"coverage": 0.2}]', 'begins below its present coverage 0.25', 'below its coverage'),
    (
        '[{"coverage": 1, "at": "2025-02-03T12:00:00Z"}]', 'begins in the past, at 2025-02-03T12:00:00Z', 'a time that has passed'
    )
) as r (steps, message, what);
select is(awf.stop_experiment('ramp') -> 'coverage', '0.25', 'a stop ends the plan where it is');
select is(awf.get_experiment('ramp') -> 'ramp', '[]', 'nothing of it is left');
select pg_temp.now_is('2025-02-10 00:00+00');
select awf.start_experiment('ramp');
select results_eq(
    $$select pg_temp.timeline('ramp') offset 3$$,
    $$values ('02-03 12: phase 2, stopped at 0.25'), ('02-10 00: phase 2, runs at 0.25')$$,
    'started again it goes on with the coverage that it had'
);

-- A plan that is over, and one that is taken back.
select awf.set_ramp('ramp', '[{"coverage": 0.5, "at": "2025-02-11"}, {"coverage": 0.75, "at": "2025-02-12"}]');
select pg_temp.now_is('2025-02-11 12:00+00');
select is(awf.set_ramp('ramp', '[]') -> 'coverage', '0.5', 'without its plan the coverage stays where it is');
select is((select count(*) from pg_temp.timeline('ramp')), 6::bigint, 'and the steps to come are gone');
select awf.set_ramp('ramp', '[{"coverage": 0.6, "at": "2025-02-12"}]');
select pg_temp.now_is('2025-02-13 00:00+00');
select is(awf.update_experiment('ramp', '{"coverage": 0.1}') -> 'ramp', '[]', 'a new coverage puts away a plan that is over');
select is(awf.get_experiment('ramp') -> 'coverage', '0.1', 'and counts');
select results_eq(
    $$select pg_temp.timeline('ramp') offset 6$$,
    $$values ('02-12 00: phase 2, runs at 0.6'), ('02-13 00: phase 2, runs at 0.1')$$, 'from now on'
);
select awf.stop_experiment('ramp');

-- A coverage below the first step counts until then.
select pg_temp.make('low', 'maxChoices', '{"coverage": 0.005, "ramp": [{"coverage": 0.5, "at": "2025-02-14"}]}');
select awf.start_experiment('low');
select results_eq(
    $$select pg_temp.timeline('low')$$,
    $$values ('02-13 00: phase 1, runs at 0.005'), ('02-14 00: phase 1, runs at 0.5')$$,
    'a coverage below the first step counts until that comes'
);
select awf.stop_experiment('low');

-- Ramps on demand.
select pg_temp.make('demand', 'maxChoices', '{"ramp": [{"coverage": 0.01}, {"coverage": 0.05}, {"coverage": 1, "at": null}]}');
select is(awf.start_experiment('demand') -> 'coverage', '0.01', 'a plan on demand begins with its first step');
select is(awf.advance_ramp('demand') -> 'coverage', '0.05', 'and goes on when told to');
select pg_temp.now_is('2025-02-14 00:00+00');
select awf.update_experiment('demand', '{"coverage": 0.5}');
select is(awf.advance_ramp('demand') -> 'coverage', '1', 'to the next step above the present coverage');
select throws_ok(
    $$select awf.advance_ramp('demand')$$, 'WF106', 'experiment "demand" is at the last step of its ramp', 'up to the last'
);
select pg_temp.now_is('2025-02-15 00:00+00');
select awf.stop_experiment('demand');
select awf.start_experiment('demand');
select is(awf.get_experiment('demand') -> 'coverage', '1', 'a restart does not begin it again');
select awf.set_ramp('demand', '[]');
select throws_ok($$select awf.advance_ramp('demand')$$, 'WF106', 'experiment "demand" has no ramp', 'without a ramp no step');
select awf.stop_experiment('demand');

-- A ramp for an experiment that is scheduled.
select awf.create_experiment('plan', 'P', '[{"variation": "a", "percent": 100}]', p_start_at => '2025-02-20 00:00+00');
select awf.create_variation('plan', 'a');
select awf.start_experiment('plan');
select awf.set_ramp('plan', '[{"coverage": 0.1, "at": "2025-02-20"}, {"coverage": 1, "at": "2025-02-21"}]');
select results_eq(
    $$select pg_temp.timeline('plan')$$,
    $$values ('02-20 00: phase 1, runs at 0.1'), ('02-21 00: phase 1, runs at 1')$$, 'its first step may come with its start'
);
select is(
    awf.set_ramp('plan', '[{"coverage": 0.2}, {"coverage": 1}]') -> 'coverage', '0.2', 'a plan on demand is its first step'
);
select awf.stop_experiment('plan');
select is(
    awf.get_experiment('plan') -> 'ramp', '[{"at": null, "coverage": 0.2}, {"at": null, "coverage": 1}]',
    'one that never began keeps its plan'
);

-- Phases: refusals.
select pg_temp.make('phased', 'timeAdvanceTicks', '{"sticky": true}');
select pg_temp.make('loose', 'txtSentenceCap');
select throws_ok($$select awf.open_phase('phased')$$, 'WF106', 'experiment "phased" is not running', 'a draft opens no phase');
select awf.start_experiment('phased');
select awf.start_experiment('loose');
select
    throws_ok(
        format('select awf.open_phase(%L, %L, %L)', p.key, p.changes, p.previous), p.code, p.message,
        'a phase is refused: ' || p.what
    )
from (
    values
    ('nope', '{}', null, 'WF101', 'there is no experiment "nope"', 'of no experiment'),
    ('loose', null, null, 'WF001', 'changes of experiment "loose" are NULL, not an object', 'NULL'),
    ('loose', '[]', null, 'WF001', 'changes of experiment "loose" are [], not an object', 'a list'),
    ('loose', '{"name": "x"}', null, 'WF001', 'experiment "loose": a phase cannot change name', 'a name'),
    ('loose', '{"sticky": true}', null, 'WF001', 'experiment "loose": a phase cannot change sticky', 'stickiness'),
    ('loose', '{"coverage": 2}', null, 'WF001', 'experiment "loose": coverage cannot be 2', 'a coverage of 2'),
    ('loose', '{"hashSeed": null}', null, 'WF001', 'experiment "loose": hashSeed cannot be null', 'no seed'),
    ('loose', '{"allocations": []}', null, 'WF105', 'allocations of experiment "loose" are empty', 'an empty split'),
    (
        'loose', '{"allocations": [{"variation": "a", "percent": 99}]}', null, 'WF105',
        'allocations of experiment "loose" sum to 99, not 100', 'a sum of 99'
    ),
    (
        'loose', '{"allocations": [{"variation": "z", "percent": 100}]}', null, 'WF102',
        'experiment "loose" allocates units to missing variations: "z"', 'an unknown variation'
    ),
    ('loose', '{"condition": {"a": {"$no": 1}}}', null, 'WF113', null, 'a malformed condition'),
    ('loose', '{}', 'forget', 'WF001', 'experiment "loose": units of earlier phases cannot be "forget"', 'no such way'),
    (
        'loose', '{}', 'keep', 'WF001', 'experiment "loose" is not sticky: it cannot keep the units of earlier phases',
        'keep without stickiness'
    ),
    (
        'loose', '{}', 'exclude', 'WF001', 'experiment "loose" is not sticky: it cannot exclude the units of earlier phases',
        'exclude without stickiness'
    )
) as p (key, changes, previous, code, message, what);
select is(awf.get_experiment('loose') -> 'phase', '1', 'a refused phase leaves the first one');
select throws_ok(
    $$select awf.update_experiment('loose', '{"allocations": [{"variation": "a", "percent": 100}]}')$$, 'WF106', null,
    'a split does not change within a phase'
);
select is(
    (select e.hint from pg_temp.error_of($$select awf.update_experiment('loose', '{"hashSeed": "x"}')$$) as e),
    'Open another phase with awf.open_phase() (awf-pg experiment phase), or create another experiment.', 'it says what to do'
);
select
    throws_ok(
        format('select awf.update_experiment(%L, %L)', 'loose', f.changes), 'WF106',
        format('experiment "loose" has started: its %s stays as it is', f.field), f.field || ' is fixed for good'
    )
from (
    values
    ('{"sticky": true}', 'sticky'), ('{"optIn": true}', 'optIn'), ('{"layer": "x"}', 'layer'), ('{"slots": [0, 5]}', 'slots')
) as f (changes, field);

-- Phases: numbers, bucket versions, the split of each.
create temporary table first_numbers as
select
    v.experiment_key,
    v.variation_key,
    v.id
from awf.experiment_variations as v;
select pg_temp.now_is('2025-02-16 00:00+00');
select is(
    awf.open_phase('loose', '{"allocations": [{"variation": "b", "percent": 80}, {"variation": "a", "percent": 20}]}') -> 'phase',
    '2', 'a phase has the next number'
);
select results_eq(
    $$select * from awf.list_phases('loose')$$,
    $$values
    (
        1, timestamptz '2025-02-15 00:00+00', timestamptz '2025-02-16 00:00+00', true, 1::float8, 'a', 50::numeric, 0::float8,
        0.5::float8
    ),
    (1, '2025-02-15 00:00+00', '2025-02-16 00:00+00', true, 1, 'b', 50, 0.5, 1),
    (2, '2025-02-16 00:00+00', null, true, 1, 'b', 80, 0, 0.8),
    (2, '2025-02-16 00:00+00', null, true, 1, 'a', 20, 0.8, 1)$$,
    'list_phases() has the split and the ranges of each phase'
);
select is(
    (
        select count(*) from awf.experiment_variations as v
        inner join first_numbers as f on v.id = f.id
        where v.experiment_key = 'loose'
    ), 0::bigint, 'every variation has another number'
);
select results_eq(
    $$select n.phase, n.variation_key from awf.variation_ids as n
    inner join awf.experiments as e on n.experiment_id = e.id and e.key = 'loose' order by n.id$$,
    $$values (1, 'a'), (1, 'b'), (2, 'a'), (2, 'b')$$, 'the dictionary has one of each phase'
);
select is(
    awf._experiment_config((awf.get_experiment('loose') -> 'id')::bigint) #> '{phases,0,variations}',
    (
        select jsonb_agg(jsonb_build_object('key', f.variation_key, 'id', f.id) order by f.variation_key)
        from first_numbers as f
        where f.experiment_key = 'loose'
    ), 'the first phase keeps the numbers of its events'
);
select is(
    awf._experiment_config((awf.get_experiment('loose') -> 'id')::bigint) #> '{phases,1,variations}',
    (
        select jsonb_agg(jsonb_build_object('key', v.variation_key, 'id', v.id) order by v.variation_key desc)
        from awf.experiment_variations as v
        where v.experiment_key = 'loose'
    ), 'the second has its own'
);
create function pg_temp.versions(p_key text)
returns integer[]
language sql
as $$
    select array[e.phase, e.bucket_version, e.min_bucket_version] from awf.experiments as e where e.key = p_key
$$;
select is(pg_temp.versions('loose'), array[2, 1, 0], 'units that are not sticky are assigned anew');
select awf.open_phase('phased', '{}');
select is(pg_temp.versions('phased'), array[2, 0, 0], 'sticky ones keep their variation');
select awf.open_phase('phased', '{"hashSeed": "s2"}', 'reassign');
select is(pg_temp.versions('phased'), array[3, 1, 0], 'unless they are to be assigned anew');
select awf.open_phase('phased', '{"coverage": 0.5, "condition": {"locale": "de-DE"}}', 'exclude');
select is(pg_temp.versions('phased'), array[4, 2, 2], 'or to be out');
select results_eq(
    $$select pg_temp.timeline('phased')$$,
    $$values ('02-15 00: phase 1, runs at 1'), ('02-16 00: phase 4, runs at 0.5')$$, 'three phases at one moment are the last one'
);
select is(
    (
        select to_jsonb(p) - 'experiment_id' - 'start_at' - 'allocations' - 'ranges'
        from awf.experiment_phases as p
        inner join awf.experiments as e on p.experiment_id = e.id and e.key = 'phased'
        order by p.start_at desc
        limit 1
    ), '{"phase": 4, "running": true, "coverage": 0.5, "hash_seed": "s2", "condition": {"locale": "de-DE"}, "bucket_version": 2,
    "min_bucket_version": 2}', 'a phase has its seed, condition and versions'
);
select awf.create_variation('phased', 'late');
select is(
    (
        select n.phase from awf.experiment_variations as v
        inner join awf.variation_ids as n on v.id = n.id
        where v.experiment_key = 'phased' and v.variation_key = 'late'
    ), 4, 'a variation that comes later is numbered in the phase of the day'
);
select pg_temp.now_is('2025-02-17 00:00+00');
select awf.stop_experiment('phased');
select results_eq(
    $$select phase, running, variation_key, low from awf.list_phases('phased') offset 4$$,
    $$values (4, false, null, null::float8)$$, 'a stop has no variation'
);
select is(
    awf._config_document(false) -> 'experiments' @> '[{"key": "phased"}]', false, 'active_config() leaves a stopped one out'
);
select is(
    awf._config_document(true) -> 'experiments' @> '[{"key": "phased"}]', true, 'the document of the past has it'
);

-- A phase sees the exposures of every event that is there.
select awf.record_turn(jsonb_build_object(
    'session_id', 's1', 'player_hash', repeat('ab', 32), 'world_ref', 'w', 'adventure_ref', 'a', 'ts', '2025-02-16T12:00:00Z',
    'experiment_key', 'loose', 'variation_key', 'a'
));
select is((select count(*) from awf.exposures), 0::bigint, 'an event waits to be rolled up');
select awf.open_phase('loose');
select is((select count(*) from awf.exposures), 1::bigint, 'a phase does that first');

-- A draft for simulation.
select awf.create_experiment(
    'sketch', 'S', '[{"variation": "x", "percent": 100}]', p_settings => '{"coverage": 0.5, "optIn": true, "sticky": true}'
);
select is(
    awf._experiment_config((awf.get_experiment('sketch') -> 'id')::bigint, true),
    '{"key": "sketch", "hashBasis": "session", "hashVersion": 2, "optIn": true, "sticky": true, "layer": null,
    "guardrails": {}, "params": {}, "overrides": {}, "phases": [
        {"phase": 1, "startAt": "-infinity", "coverage": 0.5, "hashSeed": "sketch", "condition": {},
        "bucketVersion": 0, "minBucketVersion": 0, "ranges": [[0, 0.5]], "variations": [{"key": "x", "id": null}]}
    ]}',
    'a draft can be evaluated as if it had always run'
);
select is(
    awf._experiment_config((awf.get_experiment('sketch') -> 'id')::bigint) -> 'phases', '[]', 'which it has not'
);

-- Revisions.
create temporary table revision_before as
select (awf.get_experiment('sketch') -> 'revision')::bigint as revision;
create function pg_temp.revision_of(p_key text)
returns bigint
language sql
as $$
    select e.revision from awf.experiments as e where e.key = p_key
$$;
create function pg_temp.moves_revision(p_statement text)
returns boolean
language plpgsql
as $$
declare
    v_before constant bigint := pg_temp.revision_of('sketch');
begin
    execute p_statement;
    return pg_temp.revision_of('sketch') > v_before;
end;
$$;
select ok(pg_temp.moves_revision(m.statement), 'the revision moves with ' || m.what)
from (
    values
    ($$select awf.update_experiment('sketch', '{"name": "S2"}')$$, 'a change'),
    ($$select awf.create_variation('sketch', 'x')$$, 'a new variation'),
    ($$select awf.update_variation('sketch', 'x', '{"txtSentenceCap": 2}')$$, 'other params'),
    ($$select awf.create_variation('sketch', 'y')$$, 'another variation'),
    ($$select awf.delete_variation('sketch', 'y')$$, 'a variation less'),
    ($$select awf.set_ramp('sketch', '[{"coverage": 1}]')$$, 'a ramp')
) as m (statement, what);
select is(
    pg_temp.moves_revision($$select awf.set_override('sketch', 's', 'x')$$), false, 'an override is no change of the experiment'
);
select
    throws_ok(
        c.statement, 'WF114',
        format('experiment "sketch" is at revision %s, not at %s', pg_temp.revision_of('sketch'), r.revision),
        'a change for an earlier revision is refused: ' || c.what
    )
from revision_before as r
cross join lateral (
    values
    (format($$select awf.update_experiment('sketch', '{"name": "S3"}', %s)$$, r.revision), 'update_experiment()'),
    (format($$select awf.start_experiment('sketch', %s)$$, r.revision), 'start_experiment()'),
    (format($$select awf.set_ramp('sketch', '[]', %s)$$, r.revision), 'set_ramp()'),
    (format($$select awf.create_variation('sketch', 'z', '{}', %s)$$, r.revision), 'create_variation()'),
    (format($$select awf.update_variation('sketch', 'x', '{}', %s)$$, r.revision), 'update_variation()'),
    (format($$select awf.delete_variation('sketch', 'x', %s)$$, r.revision), 'delete_variation()')
) as c (statement, what);
select throws_ok(
    format($$select awf.open_phase('loose', '{}', null, %s)$$, 1), 'WF114', null, 'a phase for an earlier revision is refused'
);
select lives_ok(
    format($$select awf.update_experiment('sketch', '{"name": "S3"}', %s)$$, pg_temp.revision_of('sketch')),
    'a change for the present one is made'
);
select throws_ok(
    $$select awf.update_experiment('sketch', '{"name": "S4"}', 0)$$, 'WF114', null, 'no revision is 0'
);
select is(
    awf.update_experiment('loose', awf.get_experiment('loose')) - array['revision', 'updatedAt'],
    awf.get_experiment('loose') - array['revision', 'updatedAt'], 'a document that is given back as it is changes nothing'
);
select is(
    awf.update_experiment('loose', awf.get_experiment('loose') || '{"coverage": 0.9, "tags": ["x", "y"]}')
    - array['revision', 'updatedAt', 'phases'],
    (awf.get_experiment('loose') || '{"coverage": 0.9, "tags": ["x", "y"]}') - array['revision', 'updatedAt', 'phases'],
    'and one with changes changes just these'
);
select throws_ok(
    $$select awf.update_experiment('loose', awf.get_experiment('loose') || '{"id": 99}')$$, 'WF001',
    'experiment "loose": id cannot be 99', 'what nobody can set is refused where it differs'
);

-- What describes an experiment.
select
    throws_ok(
        format('select awf.update_experiment(%L, %L)', 'sketch', u.changes), 'WF001', null,
        'a description is refused: ' || left(u.changes, 40)
    )
from (
    values
    ('{"owner": ""}'), ('{"owner": 5}'), (format('{"owner": "%s"}', repeat('x', 201))), ('{"hypothesis": {}}'),
    (format('{"hypothesis": "%s"}', repeat('x', 10001))), ('{"conclusion": true}'), ('{"tags": "a"}'), ('{"tags": null}'),
    ('{"tags": [5]}'), ('{"tags": [""]}'), ('{"tags": [null]}'), ('{"tags": {"a": 1}}'),
    (format('{"tags": ["%s"]}', repeat('x', 101))), ('{"optIn": 1}'), ('{"optIn": null}'), ('{"sticky": "true"}'),
    ('{"allowOverlap": []}'), ('{"state": "running"}'), ('{"revision": 1e300}'), ('{"coverage": 1e400}'), ('{"coverage": [0.5]}'),
    ('{"coverage": {}}')
) as u (changes);
select throws_ok(
    $$select awf.update_experiment('sketch', jsonb_build_object('tags', array_fill('x'::text, array[51])))$$, 'WF001', null,
    'fifty tags are enough'
);
select is(
    awf.update_experiment(
        'sketch', '{"owner": "ana", "hypothesis": "It helps.", "conclusion": "", "tags": ["a", "b"], "allowOverlap": true,
        "optIn": false, "sticky": false, "coverage": 1e-400}'
    ) @> '{"owner": "ana", "hypothesis": "It helps.", "conclusion": "", "tags": ["a", "b"], "allowOverlap": true, "optIn": false,
    "sticky": false, "coverage": 0}', true, 'an experiment has an owner, a hypothesis, tags and a conclusion'
);
select is(
    awf.update_experiment('sketch', '{"owner": null, "hypothesis": null, "conclusion": null, "tags": []}')
    @> '{"owner": null, "hypothesis": null, "conclusion": null, "tags": []}', true, 'and may do without'
);
select results_eq(
    $$select state, phase, coverage, layer, owner, tags, revision > 0
    from awf.list_experiments() where key in ('sketch', 'later')$$,
    $$values ('running', 2, 0.4::float8, null, null, '{}'::text[], true), ('draft', 1, 0, null, null, '{}', true)$$,
    'the list shows state, phase and coverage'
);

-- A percent that is too small for a number.
select lives_ok(
    $$select awf.create_experiment('tiny', 'T', ('[{"variation": "a", "percent": 99.' || repeat('9', 400)
        || '}, {"variation": "b", "percent": 0.' || repeat('0', 399) || '1}]')::jsonb)$$, 'a percent may be tiny'
);
select awf.create_variation('tiny', 'a');
select awf.create_variation('tiny', 'b');
select lives_ok($$select awf.start_experiment('tiny')$$, 'and splits all the same');

-- Overrides.
select
    throws_ok(
        format('select awf.set_override(%L, %L, %L, %L)', o.key, o.unit, o.variation, o.note), o.code, o.message,
        'an override is refused: ' || o.what
    )
from (
    values
    ('nope', 's', 'a', '', 'WF101', 'there is no experiment "nope"', 'of no experiment'),
    ('loose', 's', 'zz', '', 'WF102', 'experiment "loose" has no variation "zz"', 'of no variation'),
    ('loose', null, 'a', '', 'WF001', 'a unit of 0 characters cannot have an override', 'no unit'),
    ('loose', '', 'a', '', 'WF001', 'a unit of 0 characters cannot have an override', 'an empty unit'),
    ('loose', repeat('x', 201), 'a', '', 'WF001', 'a unit of 201 characters cannot have an override', 'a long unit'),
    ('loose', 's', 'a', repeat('x', 1001), 'WF001', 'a note of 1001 characters is too long', 'a long note')
) as o (key, unit, variation, note, code, message, what);
select awf.create_experiment('players', 'P', p_hash_basis => 'player');
select awf.create_variation('players', 'a');
select throws_ok(
    $$select awf.set_override('players', 'bob@example.com', 'a')$$, 'WF001', 'a player hash of 15 characters is none',
    'a player id is no player hash'
);
select lives_ok(format('select awf.set_override(%L, %L, %L, null)', 'players', repeat('ab', 32), 'a'), 'a player hash is a unit');
select awf.set_override('loose', 's1', 'a', 'first');
select awf.set_override('loose', 's1', 'b', 'second');
select awf.set_override('loose', 's0', 'b');
select results_eq(
    $$select unit_id, variation_key, note, set_at from awf.list_overrides('loose')$$,
    $$values ('s0', 'b', '', timestamptz '2025-02-17 00:00+00'), ('s1', 'b', 'second', '2025-02-17 00:00+00')$$,
    'a unit has one override, the last'
);
select is(awf.get_experiment('loose') -> 'overrides', '2', 'the document counts them');
select is(
    (
        select e.value -> 'overrides' from jsonb_array_elements(awf.active_config() -> 'experiments') as e
        where e.value ->> 'key' = 'loose'
    ), '{"s0": "b", "s1": "b"}', 'the configuration names them'
);
select lives_ok($$select awf.set_override('loose', 'nobody', null)$$, 'an override that is not there can be removed');
select awf.set_override('loose', 's1', null);
select is(awf.get_experiment('loose') -> 'overrides', '1', 'a removed one is gone');
select throws_ok($$select awf.list_overrides('nope')$$, 'WF101', null, 'overrides of no experiment are none');
insert into awf.experiment_overrides (experiment_id, unit_id, variation_key)
select
    e.id,
    'u' || i,
    'a'
from awf.experiments as e
cross join generate_series(1, 999) as i
where e.key = 'loose';
select throws_ok(
    $$select awf.set_override('loose', 'more', 'a')$$, 'WF106', 'experiment "loose" has 1,000 overrides already',
    'a thousand are enough'
);
select lives_ok($$select awf.set_override('loose', 's0', 'a')$$, 'one of them can change');
select awf.create_variation('loose', 'spare');
select awf.set_override('loose', 's0', 'spare');
select awf.delete_variation('loose', 'spare');
select is_empty(
    $$select * from awf.list_overrides('loose') where variation_key = 'spare'$$, 'a variation takes its overrides along'
);

-- Deleting.
select awf.stop_experiment('loose');
select lives_ok($$select awf.delete_experiment('loose')$$, 'an experiment goes with all that is its own');
select is_empty(
    $$select o.experiment_id from awf.experiment_overrides as o where o.unit_id = 'u1'
    union all
    select p.experiment_id from awf.experiment_phases as p
    where not exists (select from awf.experiments as e where e.id = p.experiment_id)$$,
    'overrides and timeline'
);

-- Templates.
select results_eq(
    $$select key, built_in from awf.list_templates()$$,
    $$values ('choice-count', true), ('latency-budget', true), ('token-budget', true), ('tool-call-limit', true)$$,
    'four templates come with the system'
);
select lives_ok(format('select awf.create_from_template(%L, %L)', t.key, 'from-' || t.key), 'a template works: ' || t.key)
from awf.list_templates() as t;
select is(
    awf.get_experiment('from-token-budget') @> '{"name": "from-token-budget", "status": "draft",
    "hashSeed": "from-token-budget", "tags": ["tokens", "cost"],
    "guardrails": {"maxOutputTokens": {"min": 500, "max": 2000}}}', true, 'a template brings its fields'
);
select results_eq(
    $$select variation_key, percent, params from awf.list_variations('from-token-budget')$$,
    $$values ('control', 50::numeric, '{"maxOutputTokens": 1500}'::jsonb), ('high-budget', 50, '{"maxOutputTokens": 2000}')$$,
    'and its variations in the order of the split'
);
select is(
    awf.create_from_template(
        'choice-count', 'mine', 'Mine', '{"name": "Other", "owner": "ana", "coverage": 0.5, "hashBasis": "player",
        "ramp": [{"coverage": 0.1}], "variations": {"more": {"maxChoices": 5}, "most": {"maxChoices": 6}},
        "allocations": [{"variation": "control", "percent": 50}, {"variation": "more", "percent": 25},
        {"variation": "most", "percent": 25}]}'
    ) @> '{"name": "Mine", "owner": "ana", "coverage": 0.5, "hashBasis": "player", "ramp": [{"coverage": 0.1, "at": null}],
    "tags": ["choices", "engagement"]}',
    true, 'changes go over the template'
);
select results_eq(
    $$select variation_key, params from awf.list_variations('mine')$$,
    $$values ('control', '{"maxChoices": 4}'::jsonb), ('more', '{"maxChoices": 5}'), ('most', '{"maxChoices": 6}'),
    ('fewer', '{"maxChoices": 3}')$$,
    'variations one by one'
);
select is(
    awf.create_from_template('choice-count', 'named', null, '{"name": "By change"}') ->> 'name', 'By change',
    'a name may be among them'
);
select
    throws_ok(
        format('select awf.create_from_template(%L, %L, null, %L)', t.template, t.key, t.changes), t.code, t.message,
        'a template is refused: ' || t.what
    )
from (
    values
    ('nope', 'e', '{}', 'WF119', 'there is no template "nope"', 'none'),
    (null, 'e', '{}', 'WF119', 'there is no template "NULL"', 'NULL'),
    ('token-budget', 'a/b', '{}', 'WF112', '"a/b" cannot be the key of an experiment', 'a bad key'),
    ('token-budget', 'mine', '{}', 'WF103', 'experiment "mine" exists already', 'a key that is taken'),
    ('token-budget', 'e', null, 'WF001', 'changes of a template are NULL, not an object', 'NULL for changes'),
    ('token-budget', 'e', '5', 'WF001', 'changes of a template are 5, not an object', 'a number for changes'),
    ('token-budget', 'e', '{"variations": []}', 'WF001', 'variations are [], not an object', 'a list of variations'),
    ('token-budget', 'e', '{"variations": null}', 'WF001', 'variations are null, not an object', 'null for variations'),
    (
        'token-budget', 'e', '{"variations": {"control": null}}', 'WF110',
        'variation "control" of experiment "e": params are null, not an object', 'null for params'
    ),
    (
        'token-budget', 'e', '{"variations": {"control": {"maxOutputTokens": 5000}}}', 'WF109',
        'variation "control" of experiment "e": maxOutputTokens 5000 is above 2000', 'a value above the guardrail'
    ),
    ('token-budget', 'e', '{"colour": "red"}', 'WF001', 'experiment "e": colour cannot be "red"', 'an unknown field'),
    (
        'token-budget', 'e', '{"allocations": [{"variation": "z", "percent": 100}]}', 'WF102',
        'experiment "e" allocates units to missing variations: "z"', 'an unknown variation'
    )
) as t (template, key, changes, code, message, what);
select is_empty($$select from awf.experiments where key = 'e'$$, 'a refused one leaves nothing behind');
select awf.create_experiment(
    'model', 'Model', '[{"variation": "a", "percent": 100}]', 'player',
    p_settings => '{"sticky": true, "owner": "ana", "hashSeed": "s", "condition": {"locale": "de-DE"}, "tags": ["t"],
    "ramp": [{"coverage": 0.5, "at": "2025-03-01"}]}'
);
select awf.create_variation('model', 'a', '{"maxActs": 3}');
select is(
    awf.save_template('saved', 'model') - 'createdAt',
    '{"key": "saved", "description": "Model", "builtIn": false, "definition": {
    "allocations": [{"variation": "a", "percent": 100}], "guardrails": {}, "condition": {"locale": "de-DE"}, "coverage": 0.5,
    "ramp": [], "hashBasis": "player", "optIn": false, "sticky": true, "tags": ["t"], "variations": {"a": {"maxActs": 3}}}}',
    'a template keeps what makes the experiment, and nothing of its own'
);
select is(awf.save_template('saved-2', 'model', 'Ours') ->> 'description', 'Ours', 'it may be described');
select
    throws_ok(
        format('select awf.save_template(%L, %L)', t.key, t.experiment), t.code, t.message, 'saving is refused: ' || t.message
    )
from (
    values
    ('saved', 'model', 'WF120', 'template "saved" exists already'),
    ('token-budget', 'model', 'WF120', 'template "token-budget" exists already'),
    ('a b', 'model', 'WF112', '"a b" cannot be the key of a template'),
    (null, 'model', 'WF112', '"NULL" cannot be the key of a template'),
    ('new', 'nope', 'WF101', 'there is no experiment "nope"')
) as t (key, experiment, code, message);
select is(
    awf.create_from_template('saved', 'copy', 'Model')
    - array['id', 'key', 'hashSeed', 'owner', 'ramp', 'coverage', 'revision', 'createdAt', 'updatedAt', 'variations'],
    awf.get_experiment('model')
    - array['id', 'key', 'hashSeed', 'owner', 'ramp', 'coverage', 'revision', 'createdAt', 'updatedAt', 'variations'],
    'what is made from it is like the experiment'
);
select throws_ok(
    $$select awf.delete_template('token-budget')$$, 'WF120', 'template "token-budget" is built in',
    'what comes with the system stays'
);
select lives_ok($$select awf.delete_template('saved')$$, 'an own one goes');
select throws_ok($$select awf.delete_template('saved')$$, 'WF119', 'there is no template "saved"', 'once');

select finish();
rollback;
