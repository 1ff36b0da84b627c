-- Layers: who holds which slots, and when; and experiments that set one knob.
begin;
select plan(124);

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
create function pg_temp.make(
    p_key text, p_settings jsonb default '{}', p_knob text default 'maxActs', p_start_at timestamptz default null,
    p_stop_at timestamptz default null
)
returns void
language plpgsql
as $$
begin
    perform awf.create_experiment(
        p_key, p_key, '[{"variation": "a", "percent": 50}, {"variation": "b", "percent": 50}]', p_start_at => p_start_at,
        p_stop_at => p_stop_at, p_settings => p_settings
    );
    perform awf.create_variation(p_key, 'a', jsonb_build_object(p_knob, 3));
    perform awf.create_variation(p_key, 'b', jsonb_build_object(p_knob, 4));
end;
$$;
create function pg_temp.detail_of(p_statement text)
returns text
language plpgsql
as $$
declare
    v_detail text;
begin
    execute p_statement;
    return 'it ran';
exception
    when others then
        get stacked diagnostics v_detail = pg_exception_detail;
        return v_detail;
end;
$$;
-- Claims of an experiment, in days of 2025 (UTC).
create function pg_temp.claims(p_key text)
returns setof text
language sql
as $$
    select format(
        '%s from %s to %s', int8range(lower(c.slots) - c.layer_id * 1000::bigint, upper(c.slots) - c.layer_id * 1000::bigint),
        to_char(lower(c.in_force) at time zone 'UTC', 'MM-DD'),
        coalesce(to_char(upper(c.in_force) at time zone 'UTC', 'MM-DD'), 'ever')
    )
    from awf.layer_claims as c
    inner join awf.experiments as e on c.experiment_id = e.id
    where e.key = p_key
    order by lower(c.in_force)
$$;
create function pg_temp.holdout()
returns numeric
language sql
as $$
    select l.holdout from awf.list_layers() as l where l.key = 'budgets'
$$;
select pg_temp.now_is('2025-02-01 00:00+00');

-- Making layers.
select
    throws_ok(
        format('select awf.create_layer(%L, %L, %L, %L)', l.key, l.basis, '', l.holdout), l.code, l.message,
        'a layer is refused: ' || l.message
    )
from (
    values
    (null, 'session', '0', 'WF112', '"NULL" cannot be the key of a layer'),
    ('a b', 'session', '0', 'WF112', '"a b" cannot be the key of a layer'),
    ('l', 'account', '0', 'WF001', 'layer "l": the hash basis cannot be "account"'),
    ('l', 'session', '1.1', 'WF001', 'the holdout of layer "l" cannot be 1.1'),
    ('l', 'session', '-0.1', 'WF001', 'the holdout of layer "l" cannot be -0.1'),
    ('l', 'session', '0.0005', 'WF001', 'the holdout of layer "l" cannot be 0.0005'),
    ('l', 'session', '1e-400', 'WF001', null),
    ('l', 'session', '1e400', 'WF001', null),
    ('l', 'session', 'NaN', 'WF001', 'the holdout of layer "l" cannot be NaN'),
    ('l', 'session', 'Infinity', 'WF001', 'the holdout of layer "l" cannot be Infinity')
) as l (key, basis, holdout, code, message);
select is_empty('select * from awf.list_layers()', 'a refused layer leaves nothing behind');
select is(
    awf.create_layer('budgets') - 'createdAt', '{"key": "budgets", "hashBasis": "session", "description": "", "holdout": 0}',
    'a layer goes by the setting hash_basis'
);
select is(
    awf.create_layer('people', 'player', 'By player', 0.1) - 'createdAt',
    '{"key": "people", "hashBasis": "player", "description": "By player", "holdout": 0.1}', 'or by what it is told'
);
select is(awf.create_layer('nulls', null, null, null) -> 'holdout', '0', 'NULL for an argument means its default');
select throws_ok($$select awf.create_layer('budgets')$$, 'WF118', 'layer "budgets" exists already', 'a key can be taken once');
select results_eq(
    $$select low, high, holder, experiment_key, from_at, to_at from awf.layer_map('people')$$,
    $$values (0, 900, 'free', null, null::timestamptz, null::timestamptz),
    (900, 1000, 'holdout', null, '2025-02-01 00:00+00', null)$$, 'a holdout has the top slots'
);
select throws_ok(l.statement, 'WF117', 'there is no layer "' || l.name || '"', 'no such layer: ' || l.statement)
from (
    values
    ($$select awf.layer_map('nope')$$, 'nope'), ($$select awf.layer_map(null)$$, 'NULL'),
    ($$select awf.set_holdout('nope', 0.1)$$, 'nope'), ($$select awf.delete_layer('nope')$$, 'nope'),
    ($$select awf.create_experiment('e', 'E', p_settings => '{"layer": "nope", "slots": [0, 5]}')$$, 'nope')
) as l (statement, name);

-- An experiment's place in a layer.
select
    throws_ok(
        format('select awf.create_experiment(%L, %L, p_settings => %L)', 'e', 'E', s.settings), s.code, s.message,
        'a place is refused: ' || s.settings
    )
from (
    values
    ('{"layer": "budgets"}', 'WF122', 'experiment "e": layer "budgets" without slots'),
    ('{"layer": "budgets", "slots": null}', 'WF122', 'experiment "e": layer "budgets" without slots'),
    ('{"slots": [0, 5]}', 'WF122', 'experiment "e": slots without a layer'),
    ('{"layer": null, "slots": [0, 5]}', 'WF122', 'experiment "e": slots without a layer'),
    ('{"layer": 5, "slots": [0, 5]}', 'WF001', 'experiment "e": layer cannot be 5'),
    ('{"layer": {}, "slots": [0, 5]}', 'WF001', 'experiment "e": layer cannot be {}'),
    ('{"layer": "budgets", "slots": 5}', 'WF122', 'experiment "e": slots cannot be 5'),
    ('{"layer": "budgets", "slots": "all"}', 'WF122', 'experiment "e": slots cannot be "all"'),
    ('{"layer": "budgets", "slots": {}}', 'WF122', 'experiment "e": slots cannot be {}'),
    ('{"layer": "budgets", "slots": []}', 'WF122', 'experiment "e": slots cannot be []'),
    ('{"layer": "budgets", "slots": [0]}', 'WF122', 'experiment "e": slots cannot be [0]'),
    ('{"layer": "budgets", "slots": [0, 5, 9]}', 'WF122', 'experiment "e": slots cannot be [0, 5, 9]'),
    ('{"layer": "budgets", "slots": [5, 5]}', 'WF122', 'experiment "e": slots cannot be [5, 5]'),
    ('{"layer": "budgets", "slots": [5, 0]}', 'WF122', 'experiment "e": slots cannot be [5, 0]'),
    ('{"layer": "budgets", "slots": [-1, 5]}', 'WF122', 'experiment "e": slots cannot be [-1, 5]'),
    ('{"layer": "budgets", "slots": [0, 1001]}', 'WF122', 'experiment "e": slots cannot be [0, 1001]'),
    ('{"layer": "budgets", "slots": [0, 1e300]}', 'WF122', null),
    ('{"layer": "budgets", "slots": [0, 0.5]}', 'WF122', 'experiment "e": slots cannot be [0, 0.5]'),
    ('{"layer": "budgets", "slots": ["0", "5"]}', 'WF122', 'experiment "e": slots cannot be ["0", "5"]'),
    ('{"layer": "budgets", "slots": [null, 5]}', 'WF122', 'experiment "e": slots cannot be [null, 5]')
) as s (settings, code, message);
select throws_ok(
    $$select awf.create_experiment('e', 'E', p_hash_basis => 'player', p_settings => '{"layer": "budgets", "slots": [0, 5]}')$$,
    'WF001', 'experiment "e": hashBasis player does not fit layer "budgets", whose slots go by session',
    'an experiment has the hash basis of its layer'
);
select is(
    awf.create_experiment('basis', 'B', p_settings => '{"layer": "people", "slots": [0, 1000.0]}')
    @> '{"hashBasis": "player", "layer": "people", "slots": [0, 1000]}', true, 'and takes it where none is given'
);
select throws_ok(
    $$select awf.update_experiment('basis', '{"hashBasis": "session"}')$$, 'WF001',
    'experiment "basis": hashBasis session does not fit layer "people", whose slots go by player', 'it cannot leave it'
);
select throws_ok(
    $$select awf.update_experiment('basis', '{"layer": "budgets"}')$$, 'WF001',
    'experiment "basis": hashBasis player does not fit layer "budgets", whose slots go by session', 'nor go to another with it'
);
select is(
    awf.update_experiment('basis', '{"layer": "budgets", "hashBasis": "session"}') @> '{"layer": "budgets", "slots": [0, 1000]}',
    true, 'with the other basis it can'
);
select throws_ok(
    $$select awf.update_experiment('basis', '{"slots": null}')$$, 'WF122', 'experiment "basis": layer "budgets" without slots',
    'slots do not go alone'
);
select is(
    awf.update_experiment('basis', '{"layer": null}') @> '{"layer": null, "slots": null}', true,
    'without a layer there are no slots'
);
select is(
    awf.create_from_template('token-budget', 'templated', null, '{"layer": "people", "slots": [0, 10]}') ->> 'hashBasis',
    'player', 'an experiment from a template takes the basis of its layer, too'
);
select throws_ok(
    $$select awf.delete_layer('people')$$, 'WF106', 'layer "people" has experiments: "templated"',
    'a layer with experiments stays'
);
select awf.delete_experiment('templated');
select lives_ok($$select awf.delete_layer('people')$$, 'one without them goes');
select is_empty(
    $$select from awf.layer_claims as c where not exists (select from awf.layers as l where l.id = c.layer_id)$$,
    'with its holdout'
);

-- Claims: made at the start, closed at the stop.
select pg_temp.make('one', '{"layer": "budgets", "slots": [0, 450]}');
select is_empty($$select pg_temp.claims('one')$$, 'a draft claims nothing');
select pg_temp.make('two', '{"layer": "budgets", "slots": [400, 900]}');
select awf.start_experiment('one');
select results_eq($$select pg_temp.claims('one')$$, $$values ('[0,450) from 02-01 to ever')$$, 'a start claims the slots');
select throws_ok(
    $$select awf.start_experiment('two')$$, 'WF115', 'slots [400,900) of layer "budgets" are taken by experiment "one"',
    'a second claim on a slot is refused'
);
select is(
    pg_temp.detail_of($$select awf.start_experiment('two')$$),
    'Wanted from 2025-01-31 19:00:00-05 on. Free all that time: [450,1000).', 'with the free slots'
);
select is(awf.get_experiment('two') ->> 'status', 'draft', 'and leaves a draft');
select awf.update_experiment('two', '{"slots": [450, 900]}');
select is(awf.start_experiment('two') ->> 'status', 'running', 'in free slots it starts, though both set one knob');
select results_eq(
    $$select low, high, holder, experiment_key from awf.layer_map('budgets')$$,
    $$values (0, 450, 'experiment', 'one'), (450, 900, 'experiment', 'two'), (900, 1000, 'free', null)$$,
    'layer_map() shows who holds what'
);
select results_eq(
    $$select key, hash_basis, description, holdout, experiments, free_slots from awf.list_layers()$$,
    $$values ('budgets', 'session', '', 0::numeric, 2, 100), ('nulls', 'session', '', 0, 0, 1000)$$, 'and list_layers() counts'
);
select is(
    awf.active_config() #> '{experiments,1,layer}', '["budgets", 0.45, 0.9]', 'the configuration has them as parts of the layer'
);
select
    throws_ok(
        format('select awf.set_holdout(%L, %L)', 'budgets', h.share), h.code, h.message, 'a holdout is refused: ' || h.message
    )
from (
    values
    (null, 'WF001', 'the holdout of layer "budgets" cannot be NULL'),
    ('2', 'WF001', 'the holdout of layer "budgets" cannot be 2'),
    ('0.2', 'WF115', 'slots [800,1000) of layer "budgets" are taken by experiment "two"')
) as h (share, code, message);
select lives_ok($$select awf.set_holdout('budgets', 0.1)$$, 'a holdout takes free slots');
select is(pg_temp.holdout(), 0.1, 'and is shown');
select throws_ok(
    $$select awf.set_holdout('budgets', 1)$$, 'WF115', 'slots [0,1000) of layer "budgets" are taken by experiment "one"',
    'it cannot take all'
);
select is(pg_temp.holdout(), 0.1, 'a refused one leaves the one before');
select pg_temp.make('held', '{"layer": "budgets", "slots": [990, 1000]}');
select throws_ok(
    $$select awf.start_experiment('held')$$, 'WF115', 'slots [990,1000) of layer "budgets" are taken by the holdout',
    'an experiment cannot have its slots'
);
select is(
    pg_temp.detail_of($$select awf.start_experiment('held')$$),
    'Wanted from 2025-01-31 19:00:00-05 on. Free all that time: none.', 'where nothing is free it says so'
);
select pg_temp.now_is('2025-02-02 00:00+00');
select awf.set_holdout('budgets', 0.05);
select awf.set_holdout('budgets', 0);
select is(pg_temp.holdout(), 0::numeric, 'a holdout can be given back');
select isnt_empty(
    'select from awf.layer_claims as c where c.experiment_id is null', 'what it held until now is known'
);
select lives_ok($$select awf.start_experiment('held')$$, 'then its slots are free');
select awf.stop_experiment('held');
select is_empty($$select pg_temp.claims('held')$$, 'a claim that never held anything is gone');

-- Stop, and start again.
select awf.stop_experiment('one');
select results_eq($$select pg_temp.claims('one')$$, $$values ('[0,450) from 02-01 to 02-02')$$, 'a stop closes the claim');
select pg_temp.make('three', '{"layer": "budgets", "slots": [100, 110]}');
select pg_temp.now_is('2025-02-03 00:00+00');
select awf.start_experiment('three');
select throws_ok(
    $$select awf.start_experiment('one')$$, 'WF115', 'slots [0,450) of layer "budgets" are taken by experiment "three"',
    'slots that were given back may be taken'
);
select is(awf.get_experiment('one') ->> 'status', 'stopped', 'then it stays stopped');
select awf.stop_experiment('three');
select pg_temp.now_is('2025-02-04 00:00+00');
select awf.start_experiment('one');
select results_eq(
    $$select pg_temp.claims('one')$$, $$values ('[0,450) from 02-01 to 02-02'), ('[0,450) from 02-04 to ever')$$,
    'a second start is a second claim'
);
select pg_temp.now_is('2025-02-05 00:00+00');
select awf.update_experiment('one', '{"coverage": 0.5}');
select awf.open_phase('one');
select is((select count(*) from pg_temp.claims('one')), 2::bigint, 'coverage and phases do not touch it');

-- Ends and starts ahead.
select awf.update_experiment('one', '{"stopAt": "2025-02-10"}');
select results_eq(
    $$select pg_temp.claims('one') offset 1$$, $$values ('[0,450) from 02-04 to 02-10')$$, 'an end ahead ends the claim ahead'
);
select pg_temp.make(
    'four', '{"layer": "budgets", "slots": [0, 100]}', 'maxActs', '2025-02-10 00:00+00', '2025-02-20 00:00+00'
);
select is(awf.start_experiment('four') ->> 'state', 'scheduled', 'another one may follow at that moment');
select results_eq($$select pg_temp.claims('four')$$, $$values ('[0,100) from 02-10 to 02-20')$$, 'and holds its time');
select results_eq(
    $$select low, high, holder, experiment_key, to_at from awf.layer_map('budgets')$$,
    $$values (0, 450, 'experiment', 'one', timestamptz '2025-02-10 00:00+00'),
    (0, 100, 'experiment', 'four', '2025-02-20 00:00+00'),
    (450, 900, 'experiment', 'two', null), (900, 1000, 'free', null, null)$$,
    'layer_map() shows what is planned'
);
select throws_ok(
    $$select awf.update_experiment('one', '{"stopAt": "2025-02-11"}')$$, 'WF115',
    'slots [0,450) of layer "budgets" are taken by experiment "four"', 'a later end may meet the next one'
);
select throws_ok($$select awf.update_experiment('one', '{"stopAt": null}')$$, 'WF115', null, 'and so does no end');
select is(
    (awf.get_experiment('one') ->> 'stopAt')::timestamptz, timestamptz '2025-02-10 00:00+00', 'then the end stays'
);
select results_eq(
    $$select pg_temp.claims('one') offset 1$$, $$values ('[0,450) from 02-04 to 02-10')$$, 'and the claim'
);
select awf.stop_experiment('four');
select is_empty($$select pg_temp.claims('four')$$, 'a stop before the beginning gives all back');
select lives_ok($$select awf.update_experiment('one', '{"stopAt": "2025-02-11"}')$$, 'then the end can move');
select throws_ok(
    $$select awf.start_experiment('four')$$, 'WF115', 'slots [0,100) of layer "budgets" are taken by experiment "one"',
    'and the other cannot come back into its time'
);
select pg_temp.now_is('2025-02-12 00:00+00');
select awf.start_experiment('four');
select results_eq($$select pg_temp.claims('four')$$, $$values ('[0,100) from 02-12 to 02-20')$$, 'after it, it can');
select throws_ok(
    $$select awf.update_experiment('one', '{"stopAt": "2025-03-01"}')$$, 'WF115', null,
    'one that has ended cannot be prolonged into slots that are taken since'
);
select awf.stop_experiment('four');
select pg_temp.make('past', '{"layer": "budgets", "slots": [0, 10]}', p_start_at => '2025-02-05 00:00+00');
select throws_ok(
    $$select awf.start_experiment('past')$$, 'WF115', 'slots [0,10) of layer "budgets" are taken by experiment "one"',
    'a replay cannot claim what another held then'
);

-- Deleting.
select awf.stop_experiment('one');
select awf.delete_experiment('one');
select is_empty(
    $$select from awf.layer_claims as c
    where c.experiment_id is not null and not exists (select from awf.experiments as e where e.id = c.experiment_id)$$,
    'an experiment takes its claims along'
);
select throws_ok(
    $$select awf.delete_layer('budgets')$$, 'WF106', 'layer "budgets" has experiments: "four", "held", "past", "three", "two"',
    'whatever the state of its experiments, a layer stays'
);

-- The schema itself keeps slots apart, and layers.
select throws_ok(
    $$insert into awf.layer_claims (layer_id, slots, in_force)
    select c.layer_id, c.slots, c.in_force from awf.layer_claims as c where upper_inf(c.in_force)$$, '23P01', null,
    'no two rows can hold one slot at one moment'
);
select throws_ok(
    $$insert into awf.layer_claims (layer_id, slots, in_force)
    select l.id, int8range(l.id * 1000, l.id * 1000 + 1001), '(,)' from awf.layers as l where l.key = 'nulls'$$, '23514', null,
    'no row reaches into another layer'
);

-- Knobs: two that set one knob are refused, in whatever order they come.
select awf.stop_experiment('two');
select pg_temp.make('k1');
select pg_temp.make('k2', '{"condition": {"locale": "de-DE"}}');
select pg_temp.make('k3', '{"layer": "budgets", "slots": [0, 10]}');
select pg_temp.make('k4', '{"layer": "budgets", "slots": [10, 20]}');
select pg_temp.make('other', '{}', 'maxChoices');
select awf.start_experiment('k1');
select
    throws_ok(
        format('select awf.start_experiment(%L)', k.key), 'WF116',
        format('experiments "%s" and "k1" would both set maxActs', k.key),
        'a second experiment with the knob is refused: ' || k.key
    )
from (values ('k2'), ('k3')) as k (key);
select is(awf.get_experiment('k2') ->> 'status', 'draft', 'and leaves a draft');
select is_empty($$select pg_temp.claims('k3')$$, 'without a claim');
select lives_ok($$select awf.start_experiment('other')$$, 'one with another knob starts');
select throws_ok(
    $$select awf.update_variation('other', 'a', '{"maxChoices": 3, "maxActs": 3}')$$, 'WF116',
    'experiments "other" and "k1" would both set maxActs', 'a variation cannot bring the knob in later'
);
select lives_ok($$select awf.create_variation('other', 'c', '{"maxActs": 3}')$$, 'one that gets no units may');
select throws_ok(
    $$select awf.open_phase('other', '{"allocations": [{"variation": "a", "percent": 50}, {"variation": "c", "percent": 50}]}')$$,
    'WF116', 'experiments "other" and "k1" would both set maxActs', 'until a phase gives it some'
);
select is(awf.get_experiment('other') -> 'phase', '1', 'which then is none');
select is(
    awf.update_experiment('other', '{"allowOverlap": true}') -> 'allowOverlap', 'true', 'an experiment may be allowed to overlap'
);
select lives_ok(
    $$select awf.update_variation('other', 'a', '{"maxChoices": 3, "maxActs": 3}')$$, 'then it may set the knob'
);
select throws_ok(
    $$select awf.update_experiment('other', '{"allowOverlap": false}')$$, 'WF116', null, 'and cannot be forbidden while it does'
);
select lives_ok($$select awf.update_variation('k1', 'a', '{"maxActs": 5}')$$, 'the one that was there can change its value');
select lives_ok($$select awf.update_experiment('k1', '{"coverage": 0.5, "stopAt": "2025-03-01"}')$$, 'its coverage and end');
select lives_ok($$select awf.open_phase('k1')$$, 'and open a phase');
select throws_ok(
    $$select awf.update_variation('k1', 'a', '{"maxActs": 5, "maxChoices": 3}')$$, 'WF116',
    'experiments "k1" and "other" would both set maxChoices', 'but not set another knob of the other'
);

-- Only at the same time.
select pg_temp.make('after', '{}', 'maxActs', '2025-03-01 00:00+00');
select throws_ok(
    $$select awf.start_experiment('after')$$, 'WF116', 'experiments "after" and "other" would both set maxActs', 'time matters'
);
select awf.stop_experiment('other');
select lives_ok($$select awf.start_experiment('after')$$, 'one that begins when the other ends may set the knob');
select throws_ok(
    $$select awf.update_experiment('k1', '{"stopAt": "2025-03-02"}')$$, 'WF116',
    'experiments "k1" and "after" would both set maxActs', 'then the end cannot move behind that'
);
select is(
    (awf.get_experiment('k1') ->> 'stopAt')::timestamptz, timestamptz '2025-03-01 00:00+00', 'and stays'
);
select awf.stop_experiment('after');
select lives_ok($$select awf.update_experiment('k1', '{"stopAt": null}')$$, 'without the other it can');
select throws_ok($$select awf.start_experiment('after')$$, 'WF116', null, 'which the other meets when it comes back');
select throws_ok($$select awf.start_experiment('k3')$$, 'WF116', null, 'a layer does not help against one outside');
select awf.stop_experiment('k1');
select lives_ok($$select awf.start_experiment('k3')$$, 'after a stop the knob is free');
select lives_ok($$select awf.start_experiment('k4')$$, 'experiments of one layer may share it');
select throws_ok(
    $$select awf.start_experiment('k1')$$, 'WF116', 'experiments "k1" and "k3" would both set maxActs', 'the first one is named'
);
select awf.update_experiment('k1', '{"allowOverlap": true}');
select lives_ok($$select awf.start_experiment('k1')$$, 'an experiment with allowOverlap starts beside them');

select finish();
rollback;
