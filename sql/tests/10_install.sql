-- Installing: the ledger, migrate(), the settings, and whom the functions may belong to.
begin;
select plan(147);

-- Runs a statement while a superuser owns a function, undoes both and returns the SQLSTATE; NULL when the statement ran.
create function pg_temp.under_superuser(p_function text, p_statement text)
returns text
language plpgsql
as $$
declare
    v_function regprocedure;
begin
    for v_function in
        select p.oid::regprocedure from pg_proc as p where p.proname = p_function and p.pronamespace = 'awf'::regnamespace
    loop
        execute format('alter function %s owner to postgres', v_function);
    end loop;
    execute p_statement;
    raise exception using errcode = 'UNDO0';
exception
    when others then
        return nullif(sqlstate, 'UNDO0');
end;
$$;

-- The test database is fresh: every step was run by this very version.
select matches(awf.version(), '^[0-9]+\.[0-9]+\.[0-9]+$', 'version() is three numbers');
select is(
    (select array_agg(distinct version) from awf.schema_steps), array[awf.version()],
    'the ledger names the version that version() returns'
);
select results_eq(
    'select step, name, sha256 from awf.schema_steps order by step',
    'select step, name, sha256 from awf._storage_steps() order by step',
    'the ledger holds exactly the steps of the code, with their numbers, names and hashes'
);
select results_eq(
    'select step from awf.schema_steps order by step',
    'select generate_series(1, count(*)::integer) from awf.schema_steps',
    'the steps are numbered from 1 without a gap'
);
select is_empty(
    $$select step from awf._storage_steps() where sha256 <> encode(sha256(convert_to(body, 'UTF8')), 'hex')$$,
    'the hash of each step is that of its text'
);
select is(
    (select array_agg(distinct applied_by) from awf.schema_steps), array['awf_owner'],
    'the ledger names the role that ran the steps'
);

-- migrate() again.
select awf.create_roles();
create temporary table ledger_before as table awf.schema_steps;
set local role awf_owner;
select is_empty('select * from awf.migrate()', 'migrate() on an up-to-date database runs no step');
select is_empty('select * from awf.migrate()', 'nor does it when called once more');
reset role;
select results_eq(
    'select * from awf.schema_steps order by step', 'select * from ledger_before order by step',
    'migrate() on an up-to-date database leaves the ledger as it is'
);

-- migrate() by others.
select throws_ok(
    'select * from awf.migrate()', 'WF402', 'role "postgres" does not own schema awf''s functions',
    'migrate() refuses whoever does not own the functions, a superuser too: the tables would be his'
);
create role pgtap_nobody;
set local role pgtap_nobody;
select throws_ok('select * from awf.migrate()', '42501', null, 'a role without rights does not get as far as migrate()');
reset role;
set local role awf_admin;
select throws_ok('select * from awf.migrate()', '42501', null, 'an admin runs the pipeline, not its upgrades');
reset role;

-- A step whose text changed.
update awf.schema_steps set sha256 = 'another'
where step = 3;
set local role awf_owner;
select throws_ok(
    'select * from awf.migrate()', 'WF106', 'storage step 3 was run with another text',
    'migrate() refuses a database whose ledger holds another text for a step'
);
reset role;
update awf.schema_steps as s set sha256 = l.sha256
from ledger_before as l
where s.step = l.step;

-- migrate() brings back views, their grants, the triggers and the guards of partitions.
set local role awf_owner;
create or replace function awf._now() returns timestamptz language sql stable parallel safe
return timestamptz '2025-02-01 12:00:00+00';
select table_name from awf.open_batch('2025-01-15', 0);
drop view awf.analytics_events;
drop view awf.daily_rollups;
drop trigger touch_row on awf.experiments;
drop trigger guard_copied on awf.turn_events_20250115;
revoke all on awf.turn_events_20250115 from awf_writer;
select is_empty('select * from awf.migrate()', 'missing views, triggers and guards are no step');
reset role;
select has_view('awf'::name, 'analytics_events'::name, 'migrate() makes a missing view again');
select has_view('awf'::name, 'daily_rollups'::name, 'and the other one');
select ok(has_table_privilege('awf_reader', 'awf.daily_rollups', 'select'), 'a view made again has its readers again');
select ok(has_table_privilege('awf_writer', 'awf.analytics_events', 'insert'), 'and its writers');
select ok(
    not has_table_privilege('awf_writer', 'awf.analytics_events', 'select'), 'but the writers cannot read it'
);
select has_trigger('awf'::name, 'experiments'::name, 'touch_row'::name, 'migrate() makes a missing trigger again');
select has_trigger(
    'awf'::name, 'turn_events_20250115'::name, 'guard_copied'::name, 'migrate() makes the missing guard of a partition again'
);
select ok(
    has_column_privilege('awf_writer', 'awf.turn_events_20250115', 'session_id', 'insert'),
    'migrate() gives the writers of a partition their columns again'
);

-- Owners who are superusers: every definer refuses to run with their rights.
create temporary table calls (function_name text, statement text);
insert into calls values
('_count_units', $$select awf._count_units(1, null, null, '{}')$$),
('_experiment_snapshot', 'select * from awf._experiment_snapshot()'),
('_guard_copy', 'insert into awf.turn_events_20250115 default values'),
('_insert_analytics_event', $$insert into awf.analytics_events (session_id) values ('s')$$),
('_touch_config', $$update awf.settings set value = value where name = 'hash_basis'$$),
('active_config', 'select awf.active_config()'),
('advance_ramp', $$select awf.advance_ramp('awf-default-test')$$),
('analytics_stats', 'select awf.analytics_stats()'),
('apply_retention', 'select * from awf.apply_retention()'),
('assign', $$select awf.assign('awf-default-test', 's')$$),
('assign_many', $$select awf.assign_many('awf-default-test', '{s}')$$),
('attach_day', $$select * from awf.attach_day('2025-01-15')$$),
('backfill', $$select awf.backfill('2025-01-01', '2025-01-02')$$),
('close_archive', $$select awf.close_archive('2025-01-15', 'f', 1, repeat('0', 64), 0)$$),
('close_batch', 'select awf.close_batch(1)'),
('close_restore', $$select * from awf.close_restore('2025-01-15')$$),
('close_source', $$select awf.close_source('f', repeat('0', 64))$$),
('create_experiment', $$select awf.create_experiment('e', 'E')$$),
('create_from_template', $$select awf.create_from_template('token-budget', 'e')$$),
('create_layer', $$select awf.create_layer('l')$$),
('create_variation', $$select awf.create_variation('awf-default-test', 'v')$$),
('daily_activity', 'select * from awf.daily_activity()'),
('delete_experiment', $$select awf.delete_experiment('awf-default-test')$$),
('delete_layer', $$select awf.delete_layer('l')$$),
('delete_template', $$select awf.delete_template('t')$$),
('delete_variation', $$select awf.delete_variation('awf-default-test', 'control')$$),
('dimension_ids', $$select awf.dimension_ids('world', '{w}')$$),
('drop_archived_day', $$select awf.drop_archived_day('2025-01-15', repeat('0', 64))$$),
('ensure_partitions', 'select * from awf.ensure_partitions()'),
('explain_assignment', $$select awf.explain_assignment('awf-default-test', 's')$$),
('forget_player', $$select * from awf.forget_player(repeat('0', 64))$$),
('grant_usage', $$select awf.grant_usage('pgtap_nobody', 'reader')$$),
('hash_player', $$select awf.hash_player('p')$$),
('ingest_batch', 'select awf.ingest_batch()'),
('open_archive', $$select awf.open_archive('2025-01-15')$$),
('open_batch', $$select awf.open_batch('2025-01-15', 1)$$),
('open_phase', $$select awf.open_phase('awf-default-test')$$),
('open_restore', $$select awf.open_restore('2025-01-15', repeat('0', 64))$$),
('open_source', $$select awf.open_source('f', repeat('0', 64))$$),
('open_stage', 'select awf.open_stage()'),
('reapply_erasures', 'select * from awf.reapply_erasures()'),
('record_lines', $$select * from awf.record_lines('')$$),
('record_turn', $$select awf.record_turn('{}')$$),
('record_turns', $$select awf.record_turns('[]')$$),
('refresh_rollups', 'select awf.refresh_rollups()'),
('refresh_views', 'select * from awf.refresh_views()'),
('reject_event', $$select awf.reject_event('bad_ts', 'd', '{}')$$),
('retry_rejected', 'select * from awf.retry_rejected()'),
('dismiss_rejected', 'select awf.dismiss_rejected()'),
('revoke_usage', $$select awf.revoke_usage('awf_reader', 'reader')$$),
('rollup_daily', $$select awf.rollup_daily('2025-01-15')$$),
('run_job', $$select * from awf.run_job('refresh')$$),
('save_template', $$select awf.save_template('t', 'awf-default-test')$$),
('set_holdout', $$select awf.set_holdout('l', 0.1)$$),
('set_job', $$select awf.set_job('refresh', true)$$),
('set_override', $$select awf.set_override('awf-default-test', 'u', 'control')$$),
('set_player_hash_key', $$select awf.set_player_hash_key('0123456789abcdef')$$),
('set_ramp', $$select awf.set_ramp('awf-default-test', '[]')$$),
('set_setting', $$select awf.set_setting('hash_basis', '"player"')$$),
('simulate_assignment', $$select awf.simulate_assignment('awf-default-test', 10)$$),
('start_experiment', $$select awf.start_experiment('awf-default-test')$$),
('stop_experiment', $$select awf.stop_experiment('awf-default-test')$$),
('turn_params', $$select awf.turn_params('s', null)$$),
('update_experiment', $$select awf.update_experiment('awf-default-test', '{}')$$),
('update_variation', $$select awf.update_variation('awf-default-test', 'control', '{}')$$),
('variation_numbers', $$select awf.variation_numbers('{awf-default-test/control}')$$),
('verify_assignments', $$select awf.verify_assignments('awf-default-test')$$);
select results_eq(
    'select function_name from calls order by function_name collate "C"',
    'select function_name from awf._definers() order by function_name collate "C"',
    'every definer is called below'
);
select
    is(
        pg_temp.under_superuser(c.function_name, c.statement), 'WF401',
        format('%s refuses to run when a superuser owns it', c.function_name)
    )
from calls as c
order by c.function_name;
-- The rest of the list is wrong when these calls fail by themselves.
select is(
    pg_temp.under_superuser('version', 'select awf.active_config()'), null,
    'a definer that a superuser does not own runs'
);
select throws_ok(
    'do $do$ begin alter function awf._require_safe_owner() owner to postgres; perform awf._require_safe_owner(); end $do$',
    'WF401', 'the functions of schema awf belong to the superuser "postgres"', 'the refusal names the superuser'
);

-- What is there after an installation.
select results_eq(
    'select key, status, allocations::text from awf.experiments',
    $$values ('awf-default-test', 'draft',
    '[{"percent": 50, "variation": "control"}, {"percent": 50, "variation": "treatment"}]')$$,
    'one experiment, the default one for testing, exists as a draft'
);
select results_eq(
    'select variation_key, percent, params from awf.list_variations(''awf-default-test'')',
    $$values ('control', 50::numeric, '{"maxActs": 6}'::jsonb), ('treatment', 50, '{"maxActs": 8}')$$,
    'the default experiment has its two variations'
);
select lives_ok($$select awf.start_experiment('awf-default-test')$$, 'the default experiment can be started');
select isnt(awf.assign('awf-default-test', 'session-1'), null, 'and then assigns');
select bag_eq(
    'select name, type from awf.knobs',
    $$values ('maxOutputTokens', 'integer'), ('maxActs', 'integer'), ('toolMaxCalls', 'integer'), ('timeAdvanceTicks', 'integer'),
    ('txtSentenceCap', 'integer'), ('maxChoices', 'integer')$$,
    'the six knobs of the runtime are there'
);
select bag_eq(
    'select name from awf.metrics where id > 0',
    $$values ('turnLatencyMs'), ('modelLatencyMs'), ('bundleMs'), ('bundleTokens'), ('outputTokens'), ('retries'), ('fallbacks'),
    ('toolCalls'), ('acts'), ('choices'), ('timeAdvanceTicks')$$,
    'the eleven standard metrics are there'
);
select results_eq(
    'select column_name from awf.metrics where id > 0 order by id', 'select unnest(awf._metric_columns())',
    'the columns of the metrics are those of _metric_columns(), in its order'
);

-- The secret of the erasures.
select results_eq(
    'select octet_length(inner_pad), octet_length(outer_pad) from awf.erasure_key', 'values (64, 64)',
    'an installation makes the secret of the erasures'
);
select is_empty(
    $$select from awf.erasure_key
    where length(replace(encode(inner_pad, 'hex'), '36', '')) < 40 or inner_pad = outer_pad$$, 'and it is not nothing'
);

-- Settings.
select bag_eq(
    'select name, value from awf.settings',
    $$values ('hash_basis', '"session"'::jsonb), ('model_max_output_tokens', null), ('tool_max_calls_per_turn', null),
    ('ingest_max_age_days', '3650'), ('ingest_max_future_minutes', '1440'), ('exposure_attributes', '[]'),
    ('ingest_log_keep_days', '30'), ('partitions_ahead_days', '7'), ('events_keep_days', null), ('archive_required', 'false'),
    ('rejected_keep_days', null), ('history_days', '28'), ('job_log_keep_days', '30')$$,
    'the settings have their documented defaults'
);
select throws_ok(
    $$select awf.set_setting('no_such', '1')$$, 'WF003', 'there is no setting "no_such"', 'an unknown setting is refused'
);
select throws_ok($$select awf.set_setting(null, '1')$$, 'WF003', null, 'a setting without a name is refused');
select throws_ok(
    $$select awf.set_setting('hash_basis', '"account"')$$, 'WF001', 'setting "hash_basis" cannot be "account"',
    'hash_basis is session or player'
);
select throws_ok(
    $$select awf.set_setting('hash_basis', null)$$, 'WF001', 'setting "hash_basis" cannot be null', 'hash_basis is always set'
);
select throws_ok(
    $$select awf.set_setting('model_max_output_tokens', '"2000"')$$, 'WF001',
    'setting "model_max_output_tokens" cannot be "2000"', 'a number in quotes is no number'
);
select throws_ok(
    $$select awf.set_setting('tool_max_calls_per_turn', 'true')$$, 'WF001',
    'setting "tool_max_calls_per_turn" cannot be true', 'true is no number'
);
select throws_ok(
    $$select awf.set_setting('tool_max_calls_per_turn', '-1')$$, 'WF001', 'setting "tool_max_calls_per_turn" cannot be -1',
    'a budget cannot be negative'
);
select throws_ok(
    $$select awf.set_setting('ingest_max_age_days', '1e10')$$, 'WF001', 'setting "ingest_max_age_days" cannot be 10000000000',
    'nor can a window begin before there were dates'
);
select throws_ok(
    $$select awf.set_setting('ingest_max_age_days', 'null')$$, 'WF001', 'setting "ingest_max_age_days" cannot be null',
    'the window of ingest is always set'
);
select
    throws_ok(
        format('select awf.set_setting(%L, %L)', 'exposure_attributes', b.value), 'WF001',
        format('setting "exposure_attributes" cannot be %s', coalesce(left(b.value::text, 100), 'null')),
        'a list of names cannot be ' || b.what
    )
from (
    values
    (null::jsonb, 'missing'), ('null', 'null'), ('"country"', 'a text'), ('{"country": true}', 'an object'), ('5', 'a number'),
    ('["country", "country"]', 'one with a name twice'), ('["country", 5]', 'one with a number'), ('[null]', 'one with null'),
    ('[["country"]]', 'a list of lists'), ('[""]', 'one with an empty name'), ('["5th"]', 'one with a digit in front'),
    ('["a b"]', 'one with a blank in a name'), ('["a\n"]', 'one with a line feed'), ('["\u00e4"]', 'one with an umlaut'),
    (to_jsonb(array[repeat('x', 64)]), 'one with a name of 64 characters'),
    (to_jsonb(array(select 'n' || i from generate_series(1, 21) as i)), 'one with 21 names')
) as b (value, what);
select throws_like(
    $$select awf.set_setting('hash_basis', '["session"]')$$, 'setting "hash_basis" cannot be %', 'nor is a list a text'
);
select lives_ok(format('select awf.set_setting(%L, %L)', 'exposure_attributes', g.value), 'a list of names can be ' || g.what)
from (
    values
    (to_jsonb(array(select 'n' || i from generate_series(1, 20) as i)), 'one with 20 names'),
    (to_jsonb(array[repeat('x', 63)]), 'one with a name of 63 characters'), ('[]', 'empty'),
    ('["country", "Country", "_a.b-c9"]', 'one with several')
) as g (value, what);
select is(awf._setting_names('exposure_attributes'), '{country,Country,_a.b-c9}', 'and is read in its order');
select is(awf._setting_names('no_such'), '{}', 'a list that is not there is empty');
select throws_ok(
    $$select awf.set_setting('ingest_log_keep_days', 'null')$$, 'WF001', 'setting "ingest_log_keep_days" cannot be null',
    'how long the log is kept is always set'
);
select lives_ok($$select awf.set_setting('tool_max_calls_per_turn', '0')$$, 'a budget can be 0');
select lives_ok($$select awf.set_setting('model_max_output_tokens', '2000')$$, 'a budget can be set');
select is(awf._setting_number('model_max_output_tokens'), 2000::numeric, 'and is in force');
select results_eq(
    $$select updated_at from awf.settings where name = 'model_max_output_tokens'$$,
    $$values (timestamptz '2025-02-01 12:00:00+00')$$,
    'a setting knows when it was changed'
);
select lives_ok($$select awf.set_setting('model_max_output_tokens', 'null')$$, 'JSON null takes a budget away');
select is(awf._setting_number('model_max_output_tokens'), null, 'and it is gone');

-- Who calls.
select is(awf._caller(), 'postgres'::name, 'the caller is the login role where no role is set');
set local role awf_writer;
select is(awf._caller(), 'awf_writer'::name, 'and the set role where one is');
reset role;

-- From nothing.
set local client_min_messages = 'warning';
set local role awf_owner;
do $$
declare
    v_object record;
begin
    for v_object in
        select c.oid::regclass as name from pg_class as c
        where c.relnamespace = 'awf'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    loop
        execute format('drop table if exists %s cascade', v_object.name);
    end loop;
    drop sequence if exists awf.refresh_id_seq;
end;
$$;
select is_empty(
    $$select relname from pg_class where relnamespace = 'awf'::regnamespace$$, 'all tables and views are gone'
);
select results_eq(
    'select step, name from awf.migrate()', 'select step, name from awf._storage_steps()',
    'migrate() on an empty schema runs every step in order and returns them'
);
select is_empty('select * from awf.migrate()', 'and none of them a second time');
reset role;
select is(
    (awf.get_experiment('awf-default-test') ->> 'status'), 'draft', 'the default experiment is a draft again'
);

select finish();
rollback;
