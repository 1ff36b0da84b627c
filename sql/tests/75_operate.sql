-- Roles and rights: what each kind of role (none, reader, analyst, writer, admin) may do, tried on every object.
begin;
select plan(218);

set local client_min_messages = 'warning';
select awf.create_roles();
set local role awf_owner;
create or replace function awf._now() returns timestamptz language sql stable parallel safe
return timestamptz '2025-02-01 12:00:00+00';
reset role;
create role pgtap_none;
select b.table_name from awf.open_batch('2025-01-15', 0) as b;

-- Tries a statement as a role, undoes it and returns its SQLSTATE; NULL when it ran.
create function pg_temp.attempt(p_role text, p_statement text)
returns text
language plpgsql
as $$
begin
    execute format('set local role %I', p_role);
    execute p_statement;
    raise exception using errcode = 'UNDO0';
exception
    when others then
        return nullif(sqlstate, 'UNDO0');
end;
$$;

-- Every function, called with something of the right type for each argument.
create temporary table calls (name text, statement text);
insert into calls (name, statement)
select
    p.proname,
    format(
        'select awf.%I(%s)', p.proname, (
            select
                string_agg(format(
                    '%L::%s', case format_type(a.type, null)
                        when 'text' then 'x'
                        when 'jsonb' then '{}'
                        when 'boolean' then 'false'
                        when 'date' then '2025-01-15'
                        when 'timestamp with time zone' then '2025-01-15'
                        when 'regclass' then 'awf.turn_events_20250115'
                        when 'uuid' then '01940000-0000-7000-8000-000000000001'
                        when 'bytea' then ''
                        when 'date[]' then '{2025-01-15}'
                        when 'text[]' then '{x}'
                        when 'bytea[]' then '{}'
                        when 'jsonb[]' then '{}'
                        when 'bigint[]' then '{1}'
                        when 'integer[]' then '{1}'
                        when 'smallint[]' then '{1}'
                        when 'numeric[]' then '{1}'
                        when 'double precision[]' then '{1}'
                        when 'int4range' then '[1,2)'
                        when 'tstzrange' then '(,)'
                        else '1'
                    end, format_type(a.type, null)
                ), ', ' order by a.place)
            from unnest(p.proargtypes) with ordinality as a (type, place)
        )
    )
from pg_proc as p
where p.pronamespace = 'awf'::regnamespace;
select ok((select count(*) > 90 from calls), 'the rights are tried on all functions');

-- The rights as the design states them.
create temporary table expected (function_name text, kinds text);
insert into expected values
('version', 'reader analyst writer admin'), ('hash_unit', 'reader analyst writer admin'),
('equal_weights', 'reader analyst writer admin'), ('bucket_ranges', 'reader analyst writer admin'),
('choose_variation', 'reader analyst writer admin'), ('matches', 'reader analyst writer admin'),
('in_namespace', 'reader analyst writer admin'), ('sticky_assignments', 'reader analyst writer admin'),
('active_config', 'analyst writer admin'), ('assign', 'reader analyst writer admin'),
('list_experiments', 'reader analyst admin'), ('get_experiment', 'reader analyst admin'),
('list_variations', 'reader analyst admin'), ('experiment_report', 'reader analyst admin'),
('analytics_stats', 'reader analyst admin'), ('storage_report', 'reader analyst admin'),
('activity_report', 'reader analyst admin'), ('experiment_overview', 'reader analyst admin'),
('daily_activity', 'reader analyst admin'), ('refresh_views', 'admin'),
('list_jobs', 'reader analyst admin'), ('list_job_runs', 'reader analyst admin'),
('run_job', 'admin'), ('run_jobs', 'admin'), ('set_job', 'admin'), ('schedule_jobs', 'admin'), ('unschedule_jobs', 'admin'),
('cron_statements', 'admin'),
('ensure_partitions', 'admin'), ('apply_retention', 'admin'),
('list_phases', 'reader analyst admin'), ('list_layers', 'reader analyst admin'), ('layer_map', 'reader analyst admin'),
('list_templates', 'reader analyst admin'),
('assign_many', 'analyst admin'), ('explain_assignment', 'analyst admin'), ('simulate_assignment', 'analyst admin'),
('verify_assignments', 'analyst admin'), ('list_overrides', 'analyst admin'),
('turn_params', 'writer admin'),
('hash_player', 'writer admin'),
('dimension_ids', 'writer admin'), ('variation_numbers', 'writer admin'),
('open_batch', 'writer admin'), ('close_batch', 'writer admin'), ('open_source', 'writer admin'),
('close_source', 'writer admin'),
('open_stage', 'writer admin'), ('ingest_batch', 'writer admin'), ('reject_event', 'writer admin'),
('record_turn', 'writer admin'), ('record_turns', 'writer admin'), ('record_lines', 'writer admin'),
('create_experiment', 'admin'), ('update_experiment', 'admin'), ('delete_experiment', 'admin'), ('start_experiment', 'admin'),
('stop_experiment', 'admin'), ('create_variation', 'admin'), ('update_variation', 'admin'), ('delete_variation', 'admin'),
('open_phase', 'admin'), ('set_ramp', 'admin'), ('advance_ramp', 'admin'), ('set_override', 'admin'),
('create_layer', 'admin'), ('set_holdout', 'admin'), ('delete_layer', 'admin'),
('create_from_template', 'admin'), ('save_template', 'admin'), ('delete_template', 'admin'),
('set_setting', 'admin'), ('set_player_hash_key', 'admin'), ('refresh_rollups', 'admin'), ('rollup_daily', 'admin'),
('backfill', 'admin'),
('retry_rejected', 'admin'),
('dismiss_rejected', 'admin'),
('forget_player', 'admin'),
('reapply_erasures', 'admin'),
('archive_days', 'admin'), ('open_archive', 'admin'), ('close_archive', 'admin'), ('drop_archived_day', 'admin'),
('attach_day', 'admin'), ('open_restore', 'admin'), ('close_restore', 'admin'),
('migrate', ''), ('create_roles', ''), ('grant_usage', ''), ('revoke_usage', '');
select bag_eq(
    $$select distinct name from calls where name !~ '^_'$$, 'select function_name from expected',
    'the list of expected rights names every public function'
);
select
    results_eq(
        format(
            $$select c.name from calls as c
            where c.name !~ '^_' and pg_temp.attempt(%L, c.statement) is distinct from '42501' order by c.name collate "C"$$, r.role
        ),
        format(
            $$select e.function_name from expected as e where %L = any(string_to_array(e.kinds, ' '))
            order by e.function_name collate "C"$$, r.kind
        ),
        format('%s may call exactly the public functions of its kind', r.role)
    )
from (
    values
    ('pgtap_none', 'none'), ('awf_reader', 'reader'), ('awf_analyst', 'analyst'), ('awf_writer', 'writer'), ('awf_admin', 'admin')
) as r (role, kind);
create function pg_temp.private_functions_of(p_role text)
returns setof text
language sql
as $$
    select c.name
    from calls as c
    where c.name ~ '^_' and pg_temp.attempt(p_role, c.statement) is distinct from '42501'
        -- What matches() and hash_unit() are made of: pure functions, which read no table.
        and c.name <> all (array[
            '_as_list', '_as_object', '_fnv1a_add', '_fnv1a_add8', '_fnv1a_wide', '_attribute_at',
            '_compare_texts', '_compare_values', '_condition_fault', '_entries_fault', '_fold_case',
            '_group_members', '_in_list', '_list_fault', '_meets_all', '_meets_any', '_meets_condition', '_meets_element',
            '_meets_operator', '_meets_value', '_meets_version', '_number_of', '_operator_fault', '_order_holds',
            '_regex_fault', '_repeat_bound', '_same_value', '_scalars_fault', '_tests_value', '_to_double', '_value_fault',
            '_value_operators', '_version_key'
        ])
    order by c.name collate "C"
$$;
select
    results_eq(
        format('select pg_temp.private_functions_of(%L)', r.role),
        array[
            '_bucket_value', '_caller', '_check_activity', '_check_grouping', '_check_range', '_count_units', '_coverage_at',
            '_day_begins',
            '_event_tables', '_expected_percent', '_experiment_document', '_experiment_snapshot', '_experiment_state', '_figures',
            '_find_experiment', '_find_layer', '_fnv1a', '_free_slots', '_holdout_of', '_job_due_at', '_now', '_phases_document',
            '_present_coverage', '_quantile_of', '_quantiles', '_report_periods', '_report_range_notice', '_require_job',
            '_require_zone',
            '_setting_number', '_storage_forecast', '_storage_tables', '_storage_upkeep', '_sum_totals', '_variation_document'
        ],
        format('%s may call no private function but what the public ones need', r.role)
    )
from (values ('awf_reader'), ('awf_analyst')) as r (role);
select
    results_eq(
        $$select pg_temp.private_functions_of('awf_admin')$$,
        $$select f from (
            select pg_temp.private_functions_of('awf_reader') as f
            union all select '_check_retention' union all select '_require_cron'
        ) as u order by f collate "C"$$,
        'awf_admin may call two more, which archive_days() and schedule_jobs() need'
    );
select results_eq(
    $$select pg_temp.private_functions_of('awf_writer')$$, array['_caller', '_fnv1a', '_now'],
    'awf_writer needs three, beside those of matches()'
);
select results_eq($$select pg_temp.private_functions_of('pgtap_none')$$, '{}'::text[], 'who was not admitted may call none');

-- Every table, view and partition: reading, adding, changing, removing, emptying.
create temporary table accesses (relation text, verb text, statement text);
insert into accesses (relation, verb, statement)
select
    c.relname,
    v.verb,
    format(v.template, c.oid::regclass, a.attname)
from pg_class as c
inner join pg_attribute as a on c.oid = a.attrelid and a.attnum = 1
cross join (
    values
    ('select', 'select * from %1$s'), ('insert', 'insert into %1$s default values'),
    ('update', 'update %1$s set %2$I = default where false'),
    ('delete', 'delete from %1$s where false'),
    ('truncate', 'truncate %1$s')
) as v (verb, template)
where c.relnamespace = 'awf'::regnamespace and c.relkind in ('r', 'p', 'v') and (c.relkind <> 'v' or v.verb <> 'truncate');
-- 55000: the view cannot be written at all.
create function pg_temp.rights_of(p_role text)
returns setof text
language sql
as $$
    select format('%s %s', a.verb, a.relation)
    from accesses as a
    where coalesce(pg_temp.attempt(p_role, a.statement), 'ran') not in ('42501', '55000')
    order by format('%s %s', a.verb, a.relation) collate "C"
$$;
select ok((select count(*) > 80 from accesses), 'the rights are tried on all tables and views');
select results_eq(
    $$select pg_temp.rights_of('pgtap_none')$$, '{}'::text[], 'a role that was not admitted has no right on anything'
);
select results_eq(
    $$select pg_temp.rights_of('awf_reader')$$,
    array[
        'select config_state', 'select daily_rollups', 'select daily_totals', 'select dimension_totals', 'select dimensions',
        'select event_days', 'select experiment_moments', 'select experiment_phases', 'select experiment_templates',
        'select experiment_variations', 'select experiments', 'select exposure_days', 'select histograms',
        'select history_moments',
        'select hourly_totals', 'select job_runs', 'select jobs', 'select knobs', 'select layer_claims', 'select layers',
        'select locale_totals', 'select metrics', 'select rollup_state', 'select settings', 'select variation_ids',
        'select view_refreshes'
    ],
    'a reader reads what reports need, and writes nothing'
);
select results_eq(
    $$select pg_temp.rights_of('awf_analyst')$$,
    array[
        'select analytics_events', 'select archives', 'select config_state', 'select crossovers', 'select daily_rollups',
        'select daily_totals', 'select dimension_totals', 'select dimensions', 'select erasures', 'select event_days',
        'select experiment_moments', 'select experiment_overrides', 'select experiment_phases',
        'select experiment_templates', 'select experiment_variations', 'select experiments', 'select exposure_days',
        'select exposures', 'select histograms', 'select history_moments', 'select hourly_totals', 'select ingest_log',
        'select ingest_sources',
        'select job_runs', 'select jobs', 'select knobs', 'select layer_claims', 'select layers', 'select locale_totals',
        'select metrics',
        'select player_days', 'select rejected_events', 'select role_grants', 'select rollup_state', 'select schema_steps',
        'select settings', 'select turn_events', 'select unit_totals', 'select variation_ids', 'select view_refreshes'
    ],
    'an analyst reads the raw rows as well, and writes nothing'
);
select results_eq(
    $$select pg_temp.rights_of('awf_writer')$$, array['insert analytics_events', 'insert turn_events_20250115'],
    'a writer adds events, through the view and to a partition, and reads nothing'
);
select results_eq(
    $$select pg_temp.rights_of('awf_admin')$$,
    array[
        'insert analytics_events', 'insert turn_events_20250115', 'select analytics_events', 'select archives',
        'select config_state', 'select crossovers', 'select daily_rollups', 'select daily_totals', 'select dimension_totals',
        'select dimensions', 'select erasures', 'select event_days', 'select experiment_moments',
        'select experiment_overrides', 'select experiment_phases', 'select experiment_templates',
        'select experiment_variations', 'select experiments', 'select exposure_days', 'select exposures', 'select histograms',
        'select history_moments', 'select hourly_totals', 'select ingest_log', 'select ingest_sources', 'select job_runs',
        'select jobs', 'select knobs', 'select layer_claims', 'select layers', 'select locale_totals', 'select metrics',
        'select player_days',
        'select rejected_events', 'select role_grants', 'select rollup_state', 'select schema_steps', 'select settings',
        'select turn_events', 'select unit_totals', 'select variation_ids', 'select view_refreshes'
    ],
    'an admin reads all but the secret and writes through functions'
);
select
    is(
        pg_temp.attempt(r.role, s.statement),
        case when s.verb = 'read' and r.role in ('awf_writer', 'awf_admin') then null else '42501' end,
        format('%s: %s the number of the last batch', r.role, s.verb)
    )
from (values ('pgtap_none'), ('awf_reader'), ('awf_analyst'), ('awf_writer'), ('awf_admin')) as r (role)
cross join (
    values
    ('read', $$select currval('awf.ingest_log_batch_id_seq')$$), ('draw', $$select nextval('awf.ingest_log_batch_id_seq')$$),
    ('set', $$select setval('awf.ingest_log_batch_id_seq', 1)$$)
) as s (verb, statement);
select
    is(
        pg_temp.attempt(r.role, format('select inner_pad from awf.%I', k.name)), '42501',
        format('%s cannot read the secret of %s', r.role, k.name)
    )
from (values ('pgtap_none'), ('awf_reader'), ('awf_analyst'), ('awf_writer'), ('awf_admin')) as r (role)
cross join (values ('player_hash_key'), ('erasure_key')) as k (name);
select is(
    pg_temp.attempt('awf_reader', 'select experiment_id, phase, variation_id, first_ts from awf.crossovers'), null,
    'a reader counts crossovers'
);
select
    is(
        pg_temp.attempt('awf_reader', format('select %I from awf.crossovers', c.name)), '42501',
        format('but cannot see %s of one', c.name)
    )
from (values ('unit_id'), ('player_hash'), ('event_id')) as c (name);
select is(
    pg_temp.attempt('awf_reader', 'select experiment_id, variation_id, locale_id, first_ts from awf.exposures'), null,
    'a reader counts first exposures'
);
select
    is(
        pg_temp.attempt('awf_reader', format('select %I from awf.exposures', c.name)), '42501',
        format('but cannot see %s of an exposure', c.name)
    )
from (values ('unit_id'), ('player_hash'), ('event_id')) as c (name);
select
    is(
        pg_temp.attempt(r.role, 'create table awf.mine (x integer)'),
        '42501',
        format('%s cannot make objects in the schema', r.role)
    )
from (values ('pgtap_none'), ('awf_reader'), ('awf_analyst'), ('awf_writer'), ('awf_admin')) as r (role);

-- A day's work of each kind.
create temporary table work (place integer, role text, statement text, what text);
insert into work values
(1, 'awf_admin', $$select awf.set_setting('hash_basis', '"session"')$$, 'changes a setting'),
(2, 'awf_admin', $$select awf.set_player_hash_key('0123456789abcdef')$$, 'stores the key of the player hash'),
(3, 'awf_admin', $$select awf.create_experiment('e', 'E', '[{"variation": "a", "percent": 100}]')$$, 'creates an experiment'),
(4, 'awf_admin', $$select awf.create_variation('e', 'a', '{"maxActs": 3}')$$, 'creates a variation'),
(5, 'awf_admin', $$select awf.update_variation('e', 'a', '{"maxActs": 4}')$$, 'changes a variation'),
(6, 'awf_admin', $$select awf.update_experiment('e', '{"name": "E 2"}')$$, 'changes an experiment'),
(7, 'awf_admin', $$select awf.start_experiment('e')$$, 'starts it'),
(8, 'awf_writer', 'select awf.active_config()', 'reads the configuration'),
(9, 'awf_writer', $$select awf.assign('e', 's1')$$, 'asks for a variation'),
(10, 'awf_writer', $$select awf.turn_params('s1', awf.hash_player('p1'))$$, 'asks for the parameters of a turn'),
(11, 'awf_writer', $$select awf.dimension_ids('world', '{w1}')$$, 'adds to the dictionaries'),
(
    12, 'awf_writer', $$select awf.record_turn('{"session_id": "s1", "player_id": "p1", "world_ref": "w1", "adventure_ref": "a1",
    "ts": "2025-01-15T10:00:00Z", "experiment_key": "e", "variation_key": "a"}')$$, 'records a turn'
),
(13, 'awf_writer', $$select * from awf.record_turns('[{"session_id": "s1"}]')$$, 'records turns, and has bad ones kept aside'),
(14, 'awf_writer', $$select awf.reject_event('bad_row', 'd', '{}')$$, 'hands in a bad event'),
(15, 'awf_writer', 'select awf.open_stage()', 'opens the careful path'),
(16, 'awf_writer', 'insert into pg_temp.awf_stage (ts) values (now())', 'fills the stage'),
(17, 'awf_writer', 'select * from awf.ingest_batch()', 'has it ingested'),
(18, 'awf_writer', $$select * from awf.open_batch('2025-01-15', 1)$$, 'opens the direct path'),
(
    19, 'awf_writer', $$insert into awf.turn_events_20250115 (ts, id, session_id, player_hash, world_id, adventure_id, locale_id)
    values ('2025-01-15 11:00+00', gen_random_uuid(), 's2', sha256('p'), 1, 1, 1)$$, 'fills the partition'
),
(
    20, 'awf_writer', $$insert into awf.analytics_events (session_id, player_hash, world_ref, adventure_ref)
    values ('s3', repeat('ab', 32), 'w', 'a')$$, 'inserts into the view'
),
(21, 'awf_admin', 'select * from awf.refresh_rollups()', 'refreshes the rollups'),
(22, 'awf_admin', $$select * from awf.rollup_daily('2025-01-15')$$, 'recomputes a day'),
(23, 'awf_admin', $$select * from awf.backfill('2025-01-15', '2025-01-16')$$, 'recomputes some days'),
(24, 'awf_reader', 'select * from awf.list_experiments()', 'lists experiments'),
(25, 'awf_reader', $$select awf.get_experiment('e')$$, 'shows one'),
(26, 'awf_reader', $$select * from awf.list_variations('e')$$, 'lists its variations'),
(27, 'awf_reader', $$select * from awf.experiment_report('e')$$, 'reads its report'),
(28, 'awf_reader', $$select * from awf.experiment_report('awf-default-test')$$, 'reads a report without data'),
(29, 'awf_reader', 'select awf.analytics_stats()', 'reads the state of the pipeline'),
(30, 'awf_reader', 'select * from awf.daily_rollups', 'reads the rollups'),
(31, 'awf_analyst', $$select * from awf.experiment_report('e')$$, 'reads the report'),
(32, 'awf_analyst', 'select * from awf.analytics_events', 'reads the events'),
(33, 'awf_analyst', 'select * from awf.rejected_events', 'reads the rejected events'),
(34, 'awf_admin', $$select awf.stop_experiment('e')$$, 'stops the experiment'),
(35, 'awf_admin', $$select awf.create_variation('e', 'b')$$, 'adds a variation'),
(36, 'awf_admin', $$select awf.delete_variation('e', 'b')$$, 'takes it away'),
(37, 'awf_admin', $$select awf.create_layer('l', 'session', p_holdout => 0.1)$$, 'makes a layer'),
(38, 'awf_admin', $$select awf.set_holdout('l', 0.2)$$, 'changes its holdout'),
(
    39, 'awf_admin', $$select awf.create_from_template('choice-count', 'f', null, '{"layer": "l", "slots": [0, 800]}')$$,
    'takes a template'
),
(40, 'awf_admin', $$select awf.set_ramp('f', '[{"coverage": 0.1}, {"coverage": 1}]')$$, 'plans a ramp'),
(41, 'awf_admin', $$select awf.start_experiment('f')$$, 'starts an experiment in a layer'),
(42, 'awf_admin', $$select awf.advance_ramp('f')$$, 'advances the ramp'),
(43, 'awf_admin', $$select awf.open_phase('f', '{"allocations": [{"variation": "more", "percent": 100}]}')$$, 'opens a phase'),
(44, 'awf_admin', $$select awf.set_override('f', 's1', 'more')$$, 'forces a variation'),
(45, 'awf_admin', $$select awf.save_template('mine', 'f')$$, 'saves a template'),
(46, 'awf_admin', $$select awf.delete_template('mine')$$, 'deletes it'),
(47, 'awf_reader', $$select * from awf.list_phases('f')$$, 'lists phases'),
(48, 'awf_reader', $$select awf.get_experiment('f')$$, 'shows an experiment in a layer'),
(49, 'awf_reader', 'select * from awf.list_layers()', 'lists layers'),
(50, 'awf_reader', $$select * from awf.layer_map('l')$$, 'shows a layer'),
(51, 'awf_reader', 'select * from awf.list_templates()', 'lists templates'),
(52, 'awf_reader', $$select * from awf.experiment_report('e', p_by => '{phase,variation}')$$, 'reads a report by phase'),
(53, 'awf_analyst', $$select * from awf.assign_many('f', '{s1,s2}')$$, 'asks for many variations'),
(54, 'awf_analyst', $$select * from awf.explain_assignment('f', 's1')$$, 'asks why'),
(55, 'awf_analyst', $$select * from awf.simulate_assignment('f', 100)$$, 'simulates a split'),
(56, 'awf_analyst', $$select * from awf.verify_assignments('e')$$, 'verifies the exposures'),
(57, 'awf_analyst', $$select * from awf.list_overrides('f')$$, 'lists overrides'),
(58, 'awf_writer', $$select * from awf.record_lines('{"session_id": "s1"}')$$, 'records lines'),
(59, 'awf_admin', 'select * from awf.retry_rejected()', 'tries rejected events again'),
(60, 'awf_admin', 'select * from awf.reapply_erasures()', 'applies erasures again'),
(61, 'awf_admin', $$select * from awf.forget_player(repeat('00', 32))$$, 'forgets a player'),
(62, 'awf_analyst', 'select * from awf.crossovers', 'reads the crossovers'),
(63, 'awf_analyst', 'select * from awf.erasures', 'reads the erasures'),
(64, 'awf_admin', 'select * from awf.dismiss_rejected()', 'dismisses rejected events');
create function pg_temp.done(p_role text, p_statement text)
returns text
language plpgsql
as $$
begin
    execute format('set local role %I', p_role);
    execute p_statement;
    reset role;
    return null;
exception
    when others then
        return format('%s: %s', sqlstate, sqlerrm);
end;
$$;
select is(pg_temp.done(w.role, w.statement), null, format('%s %s', w.role, w.what)) from work as w
order by w.place;

-- What they see: every row of what they may read.
create function pg_temp.seen(p_role text, p_relation text)
returns bigint
language plpgsql
as $$
declare
    v_count bigint;
begin
    execute format('set local role %I', p_role);
    execute format('select count(*) from awf.%I', p_relation) into v_count;
    reset role;
    return v_count;
end;
$$;
select
    is(
        pg_temp.seen(r.role, r.relation),
        pg_temp.seen('postgres', r.relation),
        format('%s sees every row of %s', r.role, r.relation)
    )
from (
    values
    ('awf_reader', 'experiments'),
    ('awf_reader', 'daily_rollups'),
    ('awf_analyst', 'turn_events'),
    ('awf_analyst', 'analytics_events'),
    ('awf_analyst', 'exposures'), ('awf_analyst', 'rejected_events'), ('awf_admin', 'ingest_log'), ('awf_admin', 'role_grants'),
    ('awf_owner', 'turn_events')
) as r (role, relation);
select ok(pg_temp.seen('postgres', 'turn_events') = 3, 'which are some');

-- Rights without admission: row security hides the rows and refuses new ones.
grant usage on schema awf to pgtap_none;
grant all on all tables in schema awf to pgtap_none;
select is(pg_temp.seen('pgtap_none', c.relname), 0::bigint, format('a grant by mistake shows no row of %s', c.relname))
from pg_class as c
where c.relnamespace = 'awf'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
order by c.relname;
select is(
    pg_temp.attempt(
        'pgtap_none', $$insert into awf.settings (name, type, description) values ('x', 'string', 'x')$$
    ), '42501', 'and adds none'
);
revoke all on all tables in schema awf from pgtap_none;
revoke all on schema awf from pgtap_none;

-- Members of the groups.
create role pgtap_service in role awf_writer;
create role pgtap_dashboard in role awf_reader;
select is(pg_temp.done('pgtap_service', s.statement), null, 'a member of awf_writer ' || s.what)
from (
    values
    ($$select * from awf.open_batch('2025-01-15', 1)$$, 'opens a batch'),
    (
        $$insert into awf.turn_events_20250115 (ts, id, session_id, player_hash, world_id, adventure_id, locale_id)
        values ('2025-01-15 11:00+00', gen_random_uuid(), 's2', sha256('p'), 1, 1, 1)$$, 'fills the partition'
    ),
    ('select awf.open_stage()', 'opens the stage that another role of the session has used'),
    ('insert into pg_temp.awf_stage (ts) values (now())', 'fills it'),
    ('select * from awf.ingest_batch()', 'has it ingested')
) as s (statement, what);
select results_eq(
    $$select role_name, path from awf.ingest_log where path = 'direct' order by batch_id desc limit 1$$,
    $$values ('pgtap_service', 'direct')$$,
    'and the log names the member, not the group'
);
select is(pg_temp.seen('pgtap_dashboard', 'experiments'), 3::bigint, 'a member of awf_reader sees the rows');

-- grant_usage() and revoke_usage(): refusals.
select throws_ok(g.statement, g.code, g.message, 'refused: ' || g.what)
from (
    values
    ($$select awf.grant_usage('pgtap_none', 'owner')$$, 'WF403', 'there is no kind of role "owner"', 'an unknown kind'),
    ($$select awf.grant_usage('pgtap_none', null)$$, 'WF403', 'there is no kind of role "NULL"', 'no kind'),
    ($$select awf.grant_usage('pgtap_nobody', 'reader')$$, 'WF404', 'role "pgtap_nobody" does not exist', 'an unknown role'),
    ($$select awf.grant_usage(null, 'reader')$$, 'WF404', 'role "NULL" does not exist', 'no role'),
    (
        $$select awf.revoke_usage('pgtap_none', 'reader')$$,
        'WF404',
        'role "pgtap_none" does not have the rights of kind "reader"',
        'taking back what was not given'
    ),
    (
        $$select awf.revoke_usage('awf_reader', 'writer')$$,
        'WF404',
        'role "awf_reader" does not have the rights of kind "writer"',
        'taking back another kind'
    ),
    (
        $$select awf.revoke_usage(null, null)$$,
        'WF404',
        'role "NULL" does not have the rights of kind "NULL"',
        'taking back nothing'
    )
) as g (statement, code, message, what);
select
    is(
        pg_temp.attempt(r.role, $$select awf.grant_usage('pgtap_none', 'reader')$$),
        '42501',
        format('%s cannot admit others', r.role)
    )
from (values ('awf_reader'), ('awf_analyst'), ('awf_writer'), ('awf_admin'), ('pgtap_service')) as r (role);

-- grant_usage(): a role of an odd name gets the same as the group of its kind.
do $$begin execute format('create role %I', 'pgtap Odd "name"'); end$$;
create role pgtap_two;
select lives_ok($$select awf.grant_usage('pgtap Odd "name"', 'analyst')$$, 'a role of any name can be admitted');
select lives_ok($$select awf.grant_usage('pgtap Odd "name"', 'analyst')$$, 'twice, too');
select results_eq(
    $$select role_name = 'pgtap Odd "name"', kind, granted_by from awf.role_grants where role_name ~ '^pgtap'$$,
    $$values (true, 'analyst', 'postgres')$$, 'it is remembered, with who admitted it'
);
select results_eq(
    $$select pg_temp.rights_of('pgtap Odd "name"')$$, $$select pg_temp.rights_of('awf_analyst')$$, 'it has the rights of its kind'
);
select is(pg_temp.seen('pgtap Odd "name"', 'turn_events'), pg_temp.seen('postgres', 'turn_events'), 'and sees the rows');
select awf.grant_usage('pgtap_two', 'writer');
select awf.grant_usage('pgtap_two', 'reader');
select b.table_name from awf.open_batch('2025-01-16', 0) as b;
insert into accesses (relation, verb, statement) values
('turn_events_20250116', 'insert', 'insert into awf.turn_events_20250116 default values'),
('turn_events_20250116', 'select', 'select * from awf.turn_events_20250116'),
('turn_events_20250116', 'delete', 'delete from awf.turn_events_20250116 where false');
select bag_eq(
    $$select pg_temp.rights_of('pgtap_two')$$,
    $$select pg_temp.rights_of('awf_writer') union select pg_temp.rights_of('awf_reader')$$,
    'two kinds add up, and a partition made later has the same grants'
);
select ok(
    (select array_agg(r) @> '{"insert turn_events_20250116"}' from pg_temp.rights_of('pgtap_two') as r),
    'the new partition among them'
);
set local role awf_owner;
select is_empty('select * from awf.migrate()', 'a migration');
reset role;
select bag_eq(
    $$select pg_temp.rights_of('pgtap_two')$$,
    $$select pg_temp.rights_of('awf_writer') union select pg_temp.rights_of('awf_reader')$$, 'leaves the rights as they are'
);

-- revoke_usage().
select lives_ok($$select awf.revoke_usage('pgtap_two', 'writer')$$, 'one kind can be taken back');
select results_eq(
    $$select pg_temp.rights_of('pgtap_two')$$, $$select pg_temp.rights_of('awf_reader')$$, 'the other stays, on tables'
);
select
    is(
        pg_temp.attempt('pgtap_two', f.statement), f.code, format('and on functions: %s', f.statement)
    )
from (
    values
    ('select * from awf.list_experiments()', null), ('select * from awf.record_turns(''[]'')', '42501'),
    ($$select nextval('awf.ingest_log_batch_id_seq')$$, '42501'), ($$select currval('awf.ingest_log_batch_id_seq')$$, '42501')
) as f (statement, code);
select lives_ok($$select awf.revoke_usage('pgtap_two', 'reader')$$, 'the last kind can be taken back');
select results_eq($$select pg_temp.rights_of('pgtap_two')$$, '{}'::text[], 'and then no right is left');
select is(
    (
        select count(*) from pg_policies as p
        where p.schemaname = 'awf' and 'pgtap_two' = any(p.roles)
    ), 0::bigint,
    'nor a policy that names the role'
);
select lives_ok('drop role pgtap_two', 'so that the role can be dropped');
select lives_ok($$select awf.grant_usage('pgtap_none', 'reader')$$, 'another role is admitted');
select lives_ok($$drop owned by pgtap_none; drop role pgtap_none$$, 'and dropped without asking');
set local role awf_owner;
select lives_ok('select * from awf.migrate()', 'a migration gets along without it');
reset role;
select is_empty($$select role_name from awf.role_grants where role_name = 'pgtap_none'$$, 'and forgets it');

-- create_roles().
select lives_ok('select awf.create_roles()', 'create_roles() leaves roles that exist');
set local role awf_owner;
select lives_ok('select awf.create_roles()', 'the owner, who may not make roles, can call it when they exist');
reset role;
select bag_eq(
    $$select role_name::text, kind from awf.role_grants where role_name ~ '^awf_'$$,
    $$values ('awf_reader', 'reader'), ('awf_analyst', 'analyst'), ('awf_writer', 'writer'), ('awf_admin', 'admin')$$,
    'the four groups have their kinds'
);
select is(
    (
        select count(*) from pg_roles as r
        where r.rolname ~ '^awf_' and (r.rolcanlogin or r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolbypassrls)
    ),
    0::bigint, 'groups cannot log in and have no power of their own'
);

select finish();
rollback;
