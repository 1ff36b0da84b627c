-- Experiments and variations: every refusal first, then their life from draft to deletion.
begin;
select plan(240);

set local client_min_messages = 'warning';
set local timezone = 'America/New_York'; -- times must not depend on it
set local role awf_owner;
create or replace function awf._now() returns timestamptz language sql stable parallel safe
return timestamptz '2025-02-01 12:00:00+00';
insert into awf.knobs (name, type, min_value, max_value, description) values
('temperature', 'number', 0, 2, 'A knob of type number.'),
('streaming', 'boolean', null, null, 'A knob of type boolean.'),
('seedValue', 'integer', null, null, 'A knob without bounds.');
reset role;

-- create_experiment(): refusals.
select
    throws_ok(
        format('select awf.create_experiment(%L, %L)', k.key, 'Name'), 'WF112',
        format('"%s" cannot be the key of an experiment', coalesce(k.key, 'NULL')), k.what || ' cannot be a key'
    )
from (
    values
    (null, 'NULL'), ('', 'the empty text'), (' a', 'a text with a blank'), ('-a', 'a text that begins with a hyphen'),
    ('a/b', 'a text with a slash'), ('ä', 'a letter beyond ASCII'), (repeat('a', 64), 'a text of 64 characters'),
    (E'a\n', 'a text with a line end')
) as k (key, what);
select lives_ok(format('select awf.create_experiment(%L, %L)', repeat('a', 63), 'Name'), 'a key may have 63 characters');
select lives_ok($$select awf.create_experiment('9.a_B-c:d', 'Name')$$, 'a key may hold digits, dots, hyphens, colons');
select throws_ok(
    $$select awf.create_experiment('awf-default-test', 'Name')$$, 'WF103', 'experiment "awf-default-test" exists already',
    'a key can be taken once'
);

-- Allocations.
select
    throws_ok(
        format('select awf.create_experiment(%L, %L, %L)', 'e', 'E', a.allocations), 'WF105',
        'allocations of experiment "e" ' || a.message, 'allocations are refused: ' || a.what
    )
from (
    values
    ('[{"variation": "a", "percent": 50}, {"variation": "b", "percent": 49}]', 'sum to 99, not 100', 'a sum of 99'),
    ('[{"variation": "a", "percent": 50}, {"variation": "b", "percent": 51}]', 'sum to 101, not 100', 'a sum of 101'),
    ('[{"variation": "a", "percent": 33.3}, {"variation": "b", "percent": 66.6}]', 'sum to 99.9, not 100', 'a sum of 99.9'),
    (
        '[{"variation": "a", "percent": 50}, {"variation": "b", "percent": 50.0000000001}]', 'sum to 100.0000000001, not 100',
        'a sum just above 100'
    ),
    (
        '[{"variation": "a", "percent": 50}, {"variation": "a", "percent": 50}]',
        'name variation "a" twice',
        'a repeated variation'
    ),
    (
        '[{"variation": "a", "percent": 120}, {"variation": "b", "percent": -20}]', 'give variation "a" 120 percent',
        'a percent above 100'
    ),
    (
        '[{"variation": "a", "percent": 100}, {"variation": "b", "percent": -0.5}]', 'give variation "b" -0.5 percent',
        'a negative percent'
    ),
    ('{"a": 50, "b": 50}', 'are {"a": 50, "b": 50}, not a list', 'an object'),
    ('"50/50"', 'are "50/50", not a list', 'a text'),
    ('5', 'are 5, not a list', 'a number'),
    ('[50, 50]', 'have an entry 50 that is not an object', 'a list of numbers'),
    ('[{"percent": 100}]', 'have an entry {"percent": 100} without a variation', 'an entry without a variation'),
    (
        '[{"variation": 5, "percent": 100}]',
        'have an entry {"percent": 100, "variation": 5} without a variation',
        'a number for a key'
    ),
    ('[{"variation": "a"}]', 'have no percent for variation "a"', 'an entry without a percent'),
    ('[{"variation": "a", "percent": "100"}]', 'have no percent for variation "a"', 'a percent in quotes'),
    ('[{"variation": "a", "percent": true}]', 'have no percent for variation "a"', 'a percent that is true'),
    ('[{"variation": "a", "percent": null}]', 'have no percent for variation "a"', 'a percent that is null'),
    (
        '[{"variation": "a", "percent": 100, "weight": 1}]',
        'have an entry {"weight": 1, "percent": 100, "variation": "a"} with an unknown field', 'an unknown field'
    )
) as a (allocations, message, what);
select lives_ok(
    $$select awf.create_experiment('thirds', 'Thirds',
    '[{"variation": "a", "percent": 33.3}, {"variation": "b", "percent": 33.3}, {"variation": "c", "percent": 33.4}]')$$,
    'decimals that sum to exactly 100 are accepted'
);
select lives_ok(
    $$select awf.create_experiment('zero', 'Zero', '[{"variation": "a", "percent": 0}, {"variation": "b", "percent": 100}]')$$,
    'a variation may get 0 percent'
);
select lives_ok(
    $$select awf.create_experiment('tenths', 'Tenths', (
        select jsonb_agg(jsonb_build_object('variation', 'v' || i, 'percent', 0.1)) from generate_series(1, 1000) as i
    ))$$,
    'a thousand times 0.1 is exactly 100'
);

-- Guardrails.
select
    throws_ok(
        format('select awf.create_experiment(%L, %L, p_guardrails => %L)', 'e', 'E', g.guardrails), g.code, g.message,
        'guardrails are refused: ' || g.what
    )
from (
    values
    ('{"maxTokens": 5}', 'WF108', 'guardrails of experiment "e": there is no knob "maxTokens"', 'an unknown knob'),
    ('[]', 'WF111', 'guardrails of experiment "e" are [], not an object', 'a list'),
    ('5', 'WF111', 'guardrails of experiment "e" are 5, not an object', 'a number'),
    ('{"maxActs": "8"}', 'WF111', 'guardrail maxActs of experiment "e" cannot be "8"', 'a number in quotes'),
    ('{"maxActs": true}', 'WF111', 'guardrail maxActs of experiment "e" cannot be true', 'true'),
    ('{"maxActs": [1, 8]}', 'WF111', 'guardrail maxActs of experiment "e" cannot be [1, 8]', 'a list for a bound'),
    ('{"maxActs": {}}', 'WF111', 'guardrail maxActs of experiment "e" cannot be {}', 'an object without a bound'),
    (
        '{"maxActs": {"min": 8, "max": 1}}', 'WF111', 'guardrail maxActs of experiment "e" cannot be {"max": 1, "min": 8}',
        'a minimum above the maximum'
    ),
    ('{"maxActs": {"max": "8"}}', 'WF111', 'guardrail maxActs of experiment "e" cannot be {"max": "8"}', 'a maximum in quotes'),
    ('{"maxActs": {"maximum": 8}}', 'WF111', 'guardrail maxActs of experiment "e" cannot be {"maximum": 8}', 'an unknown bound'),
    ('{"streaming": 1}', 'WF111', 'guardrail streaming of experiment "e" cannot be 1', 'a bound on a boolean knob')
) as g (guardrails, code, message, what);

-- Other values.
select throws_ok(
    $$select awf.create_experiment('e', 'E', p_hash_basis => 'account')$$, 'WF001',
    'experiment "e": hashBasis cannot be "account"', 'the hash basis is session or player'
);
select throws_ok(
    $$select awf.create_experiment('e', 'E', p_start_at => '2025-02-02', p_stop_at => '2025-02-01')$$, 'WF002',
    'experiment "e" would stop before it starts', 'the end must lie after the start'
);
select throws_ok(
    $$select awf.create_experiment('e', 'E', p_start_at => '2025-02-02', p_stop_at => '2025-02-02')$$, 'WF002',
    'experiment "e" would stop before it starts', 'the end cannot be the start'
);
select throws_ok(
    $$select awf.create_experiment('e', 'E', p_start_at => 'infinity')$$, 'WF001',
    'experiment "e": startAt cannot be "infinity"', 'the start is a finite time'
);
select
    throws_ok(
        format('select awf.create_experiment(%L, %L, p_settings => %L)', 'e', 'E', s.settings), 'WF001', s.message,
        'settings are refused: ' || s.what
    )
from (
    values
    ('{"coverage": 1.1}', 'experiment "e": coverage cannot be 1.1', 'a coverage above 1'),
    ('{"coverage": -0.1}', 'experiment "e": coverage cannot be -0.1', 'a negative coverage'),
    ('{"coverage": "0.5"}', 'experiment "e": coverage cannot be "0.5"', 'a coverage in quotes'),
    ('{"coverage": true}', 'experiment "e": coverage cannot be true', 'a coverage that is true'),
    ('{"coverage": null}', 'experiment "e": coverage cannot be null', 'a coverage that is null'),
    ('{"hashVersion": 3}', 'experiment "e": hashVersion cannot be 3', 'an unknown hash version'),
    ('{"hashVersion": 1.5}', 'experiment "e": hashVersion cannot be 1.5', 'half a hash version'),
    ('{"hashVersion": "2"}', 'experiment "e": hashVersion cannot be "2"', 'a hash version in quotes'),
    ('{"hashSeed": 5}', 'experiment "e": hashSeed cannot be 5', 'a seed that is no text'),
    ('{"hashseed": "x"}', 'p_settings cannot have "hashseed"', 'an unknown setting'),
    ('{"allocations": []}', 'p_settings cannot have "allocations"', 'what has an argument of its own'),
    ('[]', 'p_settings cannot be []', 'a list')
) as s (settings, message, what);
select is_empty($$select key from awf.experiments where key = 'e'$$, 'a refused experiment leaves nothing behind');
select throws_ok(
    $$select awf.create_experiment('e1', 'E', p_guardrails => '{"maxActs": null}')$$, 'WF111',
    'guardrail maxActs of experiment "e1" cannot be null', 'null is no bound'
);
select throws_ok(
    $$select awf.create_experiment('e2', 'E', p_guardrails => '{"maxTokens": null}')$$, 'WF108',
    'guardrails of experiment "e2": there is no knob "maxTokens"', 'an unknown knob is refused without a bound, too'
);

-- create_experiment(): defaults.
select is(
    awf.create_experiment('plain', 'Plain') - array['id', 'revision', 'createdAt', 'updatedAt'],
    '{"key": "plain", "name": "Plain", "status": "draft", "startAt": null, "stopAt": null, "hashBasis": "session",
    "hashSeed": "plain", "hashVersion": 2, "coverage": 1,
    "state": "draft", "phase": 1, "ramp": [], "optIn": false, "sticky": false, "allowOverlap": false,
    "layer": null, "slots": null, "owner": null, "hypothesis": null, "tags": [], "conclusion": null, "overrides": 0, "phases": [],
    "allocations": [], "guardrails": {}, "condition": {}, "variations": []}'::jsonb,
    'an experiment is a draft with the documented defaults'
);
select is(awf.create_experiment('nameless', null) ->> 'name', 'nameless', 'without a name it is called by its key');
select throws_ok(
    $$select awf.create_experiment('far', 'Far', p_start_at => '9999-12-31 23:59:59-14')$$, 'WF001', null,
    'a time that another zone could not show is refused'
);
select throws_ok(
    $$select awf.update_experiment('plain', '{"startAt": "now"}')$$,
    'WF001', 'experiment "plain": startAt cannot be "now"', 'a word is no time'
);
select throws_ok(
    $$select awf.create_experiment('nameless2', '')$$,
    'WF001', 'experiment "nameless2": name cannot be ""', 'an empty name is none'
);
select is(
    awf.create_experiment('nulls', 'Nulls', null, null, null, null, null) - array['id', 'revision', 'createdAt', 'updatedAt'],
    (awf.get_experiment('plain') - array['id', 'revision', 'createdAt', 'updatedAt'])
    || '{"key": "nulls", "name": "Nulls", "hashSeed": "nulls"}',
    'NULL for an argument means its default'
);
select awf.set_setting('hash_basis', '"player"');
select is(
    awf.create_experiment('by-player', 'By player') ->> 'hashBasis', 'player', 'the setting hash_basis is the default basis'
);
select is(
    awf.create_experiment('by-session', 'By session', p_hash_basis => 'session') ->> 'hashBasis', 'session',
    'the argument has precedence over the setting'
);
select awf.set_setting('hash_basis', '"session"');
select is(
    awf.create_experiment(
        'full', 'Full', '[{"variation": "a", "percent": 40.5}, {"variation": "b", "percent": 59.5}]', 'player',
        '{"maxOutputTokens": 2000, "maxActs": {"min": 2, "max": 8}}', '2025-03-01 00:00:00+00', '2025-04-01 00:00:00+00',
        '{"coverage": 0.5, "hashSeed": "s", "hashVersion": 1, "condition": {"world": null}}'
    ) - array['id', 'revision', 'createdAt', 'updatedAt', 'startAt', 'stopAt'],
    '{"key": "full", "name": "Full", "status": "draft", "hashBasis": "player", "hashSeed": "s", "hashVersion": 1,
    "condition": {"world": null}, "coverage": 0.5,
    "state": "draft", "phase": 1, "ramp": [], "optIn": false, "sticky": false, "allowOverlap": false,
    "layer": null, "slots": null, "owner": null, "hypothesis": null, "tags": [], "conclusion": null, "overrides": 0, "phases": [],
    "allocations": [{"variation": "a", "percent": 40.5}, {"variation": "b", "percent": 59.5}],
    "guardrails": {"maxOutputTokens": 2000, "maxActs": {"min": 2, "max": 8}}, "variations": []}'::jsonb,
    'every argument arrives where it belongs'
);
select results_eq(
    $$select start_at, stop_at from awf.experiments where key = 'full'$$,
    $$values (timestamptz '2025-03-01 00:00:00+00', timestamptz '2025-04-01 00:00:00+00')$$,
    'and so do the times'
);

-- Unknown experiments.
select throws_ok(c.statement, 'WF101', 'there is no experiment "nope"', c.what || ' names the experiment that is not there')
from (
    values
    ($$select awf.get_experiment('nope')$$, 'get_experiment()'),
    ($$select awf.update_experiment('nope', '{}')$$, 'update_experiment()'),
    ($$select awf.delete_experiment('nope')$$, 'delete_experiment()'),
    ($$select awf.start_experiment('nope')$$, 'start_experiment()'),
    ($$select awf.stop_experiment('nope')$$, 'stop_experiment()'),
    ($$select awf.create_variation('nope', 'a')$$, 'create_variation()'),
    ($$select awf.update_variation('nope', 'a', '{}')$$, 'update_variation()'),
    ($$select awf.delete_variation('nope', 'a')$$, 'delete_variation()'),
    ($$select awf.list_variations('nope')$$, 'list_variations()')
) as c (statement, what);
select throws_ok('select awf.get_experiment(null)', 'WF101', 'there is no experiment "NULL"', 'NULL is no experiment');
select throws_ok(
    $$select awf.list_experiments('paused')$$, 'WF001', 'there is no status "paused"', 'an unknown status is refused'
);

-- Variations: refusals. The experiment "t" has guardrails, the database a budget.
select awf.set_setting('tool_max_calls_per_turn', '20');
select awf.create_experiment(
    't', 'T', '[{"variation": "control", "percent": 50}, {"variation": "high", "percent": 50}]',
    p_guardrails => '{"maxOutputTokens": 2000, "maxActs": {"min": 2, "max": 8}}'
);
select
    throws_ok(
        format('select awf.create_variation(%L, %L)', 't', k.key), 'WF112',
        format('"%s" cannot be the key of a variation', coalesce(k.key, 'NULL')), k.what || ' cannot be the key of a variation'
    )
from
    (values (null, 'NULL'), ('', 'the empty text'), ('a b', 'a text with a blank'), ('a/b', 'a text with a slash'))
        as k (key, what);
select
    throws_ok(
        format('select awf.create_variation(%L, %L, %L)', 't', 'control', p.params), p.code,
        'variation "control" of experiment "t": ' || p.message, 'params are refused: ' || p.what
    )
from (
    values
    ('{"maxOutputTokens": 2001}', 'WF109', 'maxOutputTokens 2001 is above 2000', 'above a guardrail'),
    ('{"maxActs": 1}', 'WF109', 'maxActs 1 is below 2', 'below a guardrail'),
    ('{"maxActs": 9}', 'WF109', 'maxActs 9 is above 8', 'above a guardrail with two bounds'),
    ('{"maxChoices": 101}', 'WF109', 'maxChoices 101 is above 100', 'above the range of the knob'),
    ('{"maxChoices": 0}', 'WF109', 'maxChoices 0 is below 1', 'below the range of the knob'),
    ('{"timeAdvanceTicks": -1}', 'WF109', 'timeAdvanceTicks -1 is below 0', 'negative'),
    ('{"toolMaxCalls": 21}', 'WF109', 'toolMaxCalls 21 is above 20', 'above a budget'),
    ('{"temperature": 2.5}', 'WF109', 'temperature 2.5 is above 2', 'a number above its range'),
    ('{"maxActs": 5, "maxTokens": 5}', 'WF108', 'there is no knob "maxTokens"', 'an unknown knob'),
    ('{"maxacts": 5}', 'WF108', 'there is no knob "maxacts"', 'a knob in another case'),
    ('{"maxActs": 3.5}', 'WF110', 'maxActs cannot be 3.5', 'a fraction for an integer'),
    ('{"maxActs": "5"}', 'WF110', 'maxActs cannot be "5"', 'a number in quotes'),
    ('{"maxActs": true}', 'WF110', 'maxActs cannot be true', 'true for an integer'),
    ('{"maxActs": null}', 'WF110', 'maxActs cannot be null', 'null'),
    ('{"maxActs": [5]}', 'WF110', 'maxActs cannot be [5]', 'a list'),
    ('{"temperature": true}', 'WF110', 'temperature cannot be true', 'true for a number'),
    ('{"temperature": "1"}', 'WF110', 'temperature cannot be "1"', 'a number in quotes for a number'),
    ('{"streaming": 1}', 'WF110', 'streaming cannot be 1', '1 for a boolean'),
    ('{"streaming": "true"}', 'WF110', 'streaming cannot be "true"', 'true in quotes'),
    ('[]', 'WF110', 'params are [], not an object', 'a list for an object'),
    ('"maxActs"', 'WF110', 'params are "maxActs", not an object', 'a text for an object'),
    (null, 'WF110', 'params are NULL, not an object', 'NULL')
) as p (params, code, message, what);
select is_empty($$select * from awf.list_variations('t')$$, 'a refused variation leaves nothing behind');
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
select
    is(
        pg_temp.detail_of(format('select awf.create_variation(%L, %L, %L)', 't', 'control', b.params)), b.detail,
        'the refusal says what sets the bound: ' || b.what
    )
from (
    values
    ('{"maxOutputTokens": 2001}', 'The bound is set by the guardrail.', 'a guardrail'),
    ('{"maxActs": 1}', 'The bound is set by the guardrail.', 'the minimum of a guardrail'),
    ('{"maxChoices": 101}', 'The bound is set by the knob''s range.', 'a range'),
    ('{"toolMaxCalls": 21}', 'The bound is set by setting tool_max_calls_per_turn.', 'a budget')
) as b (params, detail, what);

-- Variations: values at the very bounds, and of every type.
select is(
    awf.create_variation(
        't', 'control',
        '{"maxOutputTokens": 2000, "maxActs": 2, "toolMaxCalls": 20, "timeAdvanceTicks": 0, "temperature": 0.7,
        "streaming": false, "seedValue": -99999999999}'
    ) - array['createdAt', 'updatedAt'],
    '{"experimentKey": "t", "variationKey": "control", "params": {"maxOutputTokens": 2000, "maxActs": 2, "toolMaxCalls": 20,
    "timeAdvanceTicks": 0, "temperature": 0.7, "streaming": false, "seedValue": -99999999999}}'::jsonb,
    'values at the bounds are accepted, new knobs included'
);
select throws_ok(
    $$select awf.create_variation('t', 'control')$$, 'WF104', 'variation "control" of experiment "t" exists already',
    'a variation can be made once'
);
select lives_ok($$select awf.create_variation('t', 'spare', '{"maxActs": 5.0}')$$, '5.0 is an integer');
select is(awf.create_variation('t', 'empty') -> 'params', '{}'::jsonb, 'a variation needs no params');

-- update_variation() and delete_variation().
select throws_ok(
    $$select awf.update_variation('t', 'high', '{}')$$, 'WF102', 'experiment "t" has no variation "high"',
    'a variation that is not there cannot be changed'
);
select throws_ok(
    $$select awf.delete_variation('t', 'high')$$, 'WF102', 'experiment "t" has no variation "high"', 'nor deleted'
);
select throws_ok(
    $$select awf.update_variation('t', null, '{}')$$, 'WF102', 'experiment "t" has no variation "NULL"', 'NULL is no variation'
);
select throws_ok(
    $$select awf.update_variation('t', 'spare', '{"maxActs": 9}')$$, 'WF109',
    'variation "spare" of experiment "t": maxActs 9 is above 8', 'a change is held to the same bounds'
);
select throws_ok(
    $$select awf.update_variation('t', 'spare', '{"nope": 9}')$$, 'WF108',
    'variation "spare" of experiment "t": there is no knob "nope"', 'to the same knobs'
);
select throws_ok(
    $$select awf.update_variation('t', 'spare', null)$$, 'WF110',
    'variation "spare" of experiment "t": params are NULL, not an object', 'and to the same types'
);
select is(
    awf.update_variation('t', 'spare', '{"maxChoices": 3}') -> 'params',
    '{"maxChoices": 3}'::jsonb,
    'new params replace the old ones'
);
select lives_ok($$select awf.delete_variation('t', 'spare')$$, 'a variation of a draft can be deleted');
select throws_ok($$select awf.delete_variation('t', 'spare')$$, 'WF102', null, 'once');
select results_eq(
    $$select variation_key, percent from awf.list_variations('t')$$, $$values ('control', 50::numeric), ('empty', 0)$$,
    'variations are listed in the order of creation with their percent, 0 when not allocated'
);

-- update_experiment(): refusals.
select
    throws_ok(
        format('select awf.update_experiment(%L, %L)', 't', u.changes), u.code, u.message, 'changes are refused: ' || u.what
    )
from (
    values
    (null, 'WF001', 'changes of experiment "t" are NULL, not an object', 'NULL'),
    ('[]', 'WF001', 'changes of experiment "t" are [], not an object', 'a list'),
    ('{"title": "x"}', 'WF001', 'experiment "t": title cannot be "x"', 'an unknown field'),
    ('{"status": "running"}', 'WF001', 'experiment "t": status cannot be "running"', 'the status'),
    ('{"key": "x"}', 'WF001', 'experiment "t": key cannot be "x"', 'the key'),
    ('{"name": ""}', 'WF001', 'experiment "t": name cannot be ""', 'an empty name'),
    ('{"name": null}', 'WF001', 'experiment "t": name cannot be null', 'no name'),
    ('{"name": 5}', 'WF001', 'experiment "t": name cannot be 5', 'a number for a name'),
    ('{"coverage": 2}', 'WF001', 'experiment "t": coverage cannot be 2', 'a coverage above 1'),
    ('{"hashBasis": "device"}', 'WF001', 'experiment "t": hashBasis cannot be "device"', 'an unknown basis'),
    ('{"hashBasis": null}', 'WF001', 'experiment "t": hashBasis cannot be null', 'no basis'),
    ('{"startAt": "soon"}', 'WF001', 'experiment "t": startAt cannot be "soon"', 'a start that is no time'),
    ('{"stopAt": "2025-02-30"}', 'WF001', 'experiment "t": stopAt cannot be "2025-02-30"', 'a day that does not exist'),
    (
        '{"startAt": "2025-03-02T00:00:00Z", "stopAt": "2025-03-01T00:00:00Z"}', 'WF002',
        'experiment "t" would stop before it starts', 'an end before the start'
    ),
    ('{"allocations": null}', 'WF105', 'allocations of experiment "t" are null, not a list', 'null for allocations'),
    (
        '{"allocations": [{"variation": "control", "percent": 99}]}', 'WF105',
        'allocations of experiment "t" sum to 99, not 100', 'a sum of 99'
    ),
    (
        '{"allocations": [{"variation": "control", "percent": 50}, {"variation": "nope", "percent": 50}]}', 'WF102',
        'experiment "t" allocates units to missing variations: "nope"', 'an unknown variation'
    ),
    ('{"guardrails": null}', 'WF111', 'guardrails of experiment "t" are null, not an object', 'null for guardrails'),
    ('{"guardrails": {"nope": 1}}', 'WF108', 'guardrails of experiment "t": there is no knob "nope"', 'an unknown knob'),
    (
        '{"guardrails": {"maxOutputTokens": 1999}}', 'WF109',
        'variation "control" of experiment "t": maxOutputTokens 2000 is above 1999', 'a guardrail below a value in use'
    ),
    (
        '{"guardrails": {"maxActs": {"min": 3}}}', 'WF109',
        'variation "control" of experiment "t": maxActs 2 is below 3', 'a guardrail above a value in use'
    )
) as u (changes, code, message, what);
select is(
    awf.get_experiment('t') -> 'guardrails', '{"maxOutputTokens": 2000, "maxActs": {"min": 2, "max": 8}}'::jsonb,
    'refused changes leave the experiment as it was'
);

-- update_experiment(): changes.
select is(
    (
        awf.update_experiment(
            't',
            '{"name": "New name", "coverage": 0.25, "hashSeed": "seed", "hashVersion": 1, "hashBasis": "player",
            "condition": {"locale": "de-DE"}, "guardrails": {"maxOutputTokens": 2500},
            "allocations": [{"variation": "control", "percent": 100}]}'
        )
    ) - array['id', 'revision', 'createdAt', 'updatedAt', 'variations'],
    '{"key": "t", "name": "New name", "status": "draft", "startAt": null, "stopAt": null, "hashBasis": "player",
    "hashSeed": "seed", "hashVersion": 1, "coverage": 0.25, "allocations": [{"variation": "control", "percent": 100}],
    "condition": {"locale": "de-DE"},
    "state": "draft", "phase": 1, "ramp": [], "optIn": false, "sticky": false, "allowOverlap": false,
    "layer": null, "slots": null, "owner": null, "hypothesis": null, "tags": [], "conclusion": null, "overrides": 0, "phases": [],
    "guardrails": {"maxOutputTokens": 2500}}'::jsonb,
    'a draft can be changed in every field'
);
select is(
    awf.update_experiment('t', '{"name": "T"}') - array['id', 'revision', 'createdAt', 'updatedAt', 'variations'],
    '{"key": "t", "name": "T", "status": "draft", "startAt": null, "stopAt": null, "hashBasis": "player",
    "hashSeed": "seed", "hashVersion": 1, "coverage": 0.25, "allocations": [{"variation": "control", "percent": 100}],
    "condition": {"locale": "de-DE"},
    "state": "draft", "phase": 1, "ramp": [], "optIn": false, "sticky": false, "allowOverlap": false,
    "layer": null, "slots": null, "owner": null, "hypothesis": null, "tags": [], "conclusion": null, "overrides": 0, "phases": [],
    "guardrails": {"maxOutputTokens": 2500}}'::jsonb,
    'fields that are not named stay as they are'
);
select awf.update_experiment('t', '{"startAt": "2025-03-01T06:00:00", "stopAt": "2025-04-01 00:00"}');
select results_eq(
    $$select start_at, stop_at from awf.experiments where key = 't'$$,
    $$values (timestamptz '2025-03-01 06:00:00+00', timestamptz '2025-04-01 00:00:00+00')$$,
    'a time without a zone is UTC, whatever the zone of the session'
);
select awf.update_experiment('t', '{"startAt": "2025-03-01T06:00:00+02:00", "stopAt": null}');
select results_eq(
    $$select start_at, stop_at from awf.experiments where key = 't'$$,
    $$values (timestamptz '2025-03-01 04:00:00+00', null::timestamptz)$$,
    'a time with a zone keeps it, and null takes an end away'
);
select awf.update_experiment('t', '{"startAt": null, "hashBasis": "session", "coverage": 1}');

-- start_experiment(): refusals.
select throws_ok(
    $$select awf.start_experiment('plain')$$, 'WF106', 'experiment "plain" has no allocations',
    'an experiment without allocations cannot start'
);
select throws_ok(
    $$select awf.start_experiment('thirds')$$, 'WF107',
    'experiment "thirds" allocates units to missing variations: "a", "b", "c"',
    'an experiment cannot start without its variations'
);
select awf.create_variation('thirds', 'a');
select awf.create_variation('thirds', 'b');
select throws_ok(
    $$select awf.start_experiment('thirds')$$, 'WF107', 'experiment "thirds" allocates units to missing variations: "c"',
    'not even when one is missing'
);
select awf.update_experiment('t', '{"stopAt": "2025-02-01T12:00:00Z"}');
select throws_ok(
    $$select awf.start_experiment('t')$$, 'WF106', 'experiment "t" has its stop_at in the past',
    'an experiment whose end has come cannot start'
);
select awf.update_experiment('t', '{"stopAt": "2025-03-01T00:00:00Z"}');
select awf.set_setting('model_max_output_tokens', '1999');
select throws_ok(
    $$select awf.start_experiment('t')$$, 'WF109', 'variation "control" of experiment "t": maxOutputTokens 2000 is above 1999',
    'params are held to the budgets of the day of the start'
);
select awf.set_setting('model_max_output_tokens', null);
select is(awf.get_experiment('t') ->> 'status', 'draft', 'a refused start leaves a draft');

-- From start to stop.
select throws_ok(
    $$select awf.stop_experiment('t')$$, 'WF106', 'experiment "t" is not running', 'a draft cannot be stopped'
);
select is(awf.start_experiment('t') ->> 'status', 'running', 'start_experiment() returns the running experiment');
select results_eq(
    $$select start_at, stop_at from awf.experiments where key = 't'$$,
    $$values (timestamptz '2025-02-01 12:00:00+00', timestamptz '2025-03-01 00:00:00+00')$$,
    'without a start_at it is in force from now on, up to its stop_at'
);
select throws_ok(
    $$select awf.start_experiment('t')$$, 'WF106', 'experiment "t" is running already', 'it cannot be started twice'
);
select
    throws_ok(
        format('select awf.update_experiment(%L, %L)', 't', f.changes), 'WF106',
        format('experiment "t" has started: its %s stays as it is', f.field), f.field || ' cannot change once it has started'
    )
from (
    values
    ('{"allocations": [{"variation": "high", "percent": 100}]}', 'allocations'), ('{"hashBasis": "player"}', 'hashBasis'),
    ('{"hashSeed": "x"}', 'hashSeed'), ('{"hashVersion": 2}', 'hashVersion'), ('{"startAt": null}', 'startAt'),
    ('{"condition": {}}', 'condition')
) as f (changes, field);
select lives_ok(
    $$select awf.update_experiment('t', '{"name": "Running", "coverage": 0.5, "stopAt": "2025-03-02T00:00:00Z",
    "guardrails": {"maxOutputTokens": 2000}}')$$,
    'name, coverage, end and guardrails can'
);
select throws_ok(
    $$select awf.update_experiment('t', '{"guardrails": {"maxOutputTokens": 1500}}')$$, 'WF109',
    'variation "control" of experiment "t": maxOutputTokens 2000 is above 1500',
    'guardrails of a running experiment cannot go below a value in use'
);
select throws_ok(
    $$select awf.update_experiment('t', '{"stopAt": "2025-02-01T12:00:00Z"}')$$, 'WF002',
    'experiment "t" would stop before it starts', 'its end stays after its start'
);
select throws_ok(
    $$select awf.delete_variation('t', 'control')$$, 'WF106', 'variation "control" has units: experiment "t" has started with it',
    'a variation that gets units cannot be deleted'
);
select lives_ok($$select awf.delete_variation('t', 'empty')$$, 'one that gets none can');
select lives_ok($$select awf.create_variation('t', 'late')$$, 'and another can be added');
select lives_ok($$select awf.update_variation('t', 'control', '{"maxActs": 3}')$$, 'params of a running experiment can change');
select throws_ok(
    $$select awf.delete_experiment('t')$$, 'WF106', 'experiment "t" is running', 'a running experiment cannot be deleted'
);
set local role awf_owner;
create or replace function awf._now() returns timestamptz language sql stable parallel safe
return timestamptz '2025-02-10 12:00:00+00';
reset role;
select is(awf.stop_experiment('t') ->> 'status', 'stopped', 'stop_experiment() returns the stopped experiment');
select results_eq(
    $$select start_at, stop_at from awf.experiments where key = 't'$$,
    $$values (timestamptz '2025-02-01 12:00:00+00', timestamptz '2025-02-10 12:00:00+00')$$,
    'it was in force up to the stop'
);
select throws_ok(
    $$select awf.stop_experiment('t')$$, 'WF106', 'experiment "t" is not running', 'it cannot be stopped twice'
);
select throws_ok(
    $$select awf.update_experiment('t', '{"allocations": []}')$$, 'WF106',
    'experiment "t" has started: its allocations stays as it is', 'after the stop, too, the allocations stay'
);
select throws_ok($$select awf.delete_variation('t', 'control')$$, 'WF106', null, 'and so do the variations with units');
select is(awf.start_experiment('t') ->> 'status', 'running', 'a stopped experiment can be started again');
select results_eq(
    $$select start_at, stop_at from awf.experiments where key = 't'$$,
    $$values (timestamptz '2025-02-01 12:00:00+00', null::timestamptz)$$,
    'that lifts the end which the stop had set, and keeps the first start'
);

-- A stop after the planned end keeps the planned end.
select awf.create_experiment(
    'planned', 'Planned', '[{"variation": "a", "percent": 100}]', p_start_at => '2025-02-01 00:00+00',
    p_stop_at => '2025-02-15 00:00+00'
);
select awf.create_variation('planned', 'a');
select awf.start_experiment('planned');
set local role awf_owner;
create or replace function awf._now() returns timestamptz language sql stable parallel safe
return timestamptz '2025-02-20 12:00:00+00';
reset role;
select awf.stop_experiment('planned');
select results_eq(
    $$select start_at, stop_at from awf.experiments where key = 'planned'$$,
    $$values (timestamptz '2025-02-01 00:00+00', timestamptz '2025-02-15 00:00+00')$$,
    'stopping after the planned end leaves the planned end'
);

-- A scheduled experiment.
select awf.create_experiment(
    'scheduled', 'Scheduled', '[{"variation": "a", "percent": 100}]', p_start_at => '2025-06-01 00:00+00'
);
select awf.create_variation('scheduled', 'a');
select is(
    (awf.start_experiment('scheduled') ->> 'startAt')::timestamptz, timestamptz '2025-06-01 00:00+00',
    'a start_at in the future is kept at the start'
);
select is(awf.assign('scheduled', 's'), null, 'before its start_at it assigns nobody');
select is(awf.stop_experiment('scheduled') ->> 'status', 'stopped', 'it can be stopped before it ever began');
select is(awf.get_experiment('scheduled') -> 'stopAt', 'null'::jsonb, 'and then has no stretch of time to close');
select is(awf.assign('scheduled', 's', p_at => '2025-06-02 00:00+00'), null, 'it assigns nobody, not even at a later time');
select is(
    (awf.start_experiment('scheduled') ->> 'startAt')::timestamptz, timestamptz '2025-06-01 00:00+00',
    'started again it keeps its schedule'
);
select is(awf.assign('scheduled', 's', p_at => '2025-06-02 00:00+00'), 'a', 'and assigns from then on');

-- updated_at.
create function pg_temp.moves_updated_at(p_statement text)
returns boolean
language plpgsql
as $$
declare
    v_before constant timestamptz := (
        select max(t.updated_at)
        from (select updated_at from awf.experiments union all select updated_at from awf.experiment_variations) as t
    );
begin
    execute p_statement;
    return (
        select max(t.updated_at) > v_before
        from (select updated_at from awf.experiments union all select updated_at from awf.experiment_variations) as t
    );
end;
$$;
select ok(pg_temp.moves_updated_at(m.statement), 'updated_at moves at every update, in one transaction too: ' || m.what)
from (
    values
    ($$select awf.update_experiment('plain', '{"name": "Plain 2"}')$$, 'an experiment'),
    ($$select awf.update_experiment('plain', '{"name": "Plain 3"}')$$, 'the same experiment again'),
    ($$select awf.update_variation('thirds', 'a', '{"maxActs": 3}')$$, 'a variation'),
    ($$select awf.update_variation('thirds', 'a', '{"maxActs": 3}')$$, 'the same variation with the same params'),
    ($$update awf.experiments set updated_at = '2000-01-01' where key = 'plain'$$, 'nobody sets it back')
) as m (statement, what);
select is(
    (
        select e.created_at from awf.experiments as e
        where e.key = 'plain'
    ), now(), 'created_at does not move'
);

-- The revision of the configuration.
create function pg_temp.moves(p_statement text)
returns boolean
language plpgsql
as $$
declare
    v_before constant bigint := (awf.active_config() -> 'revision')::bigint;
begin
    execute p_statement;
    return (awf.active_config() -> 'revision')::bigint > v_before;
end;
$$;
select ok(pg_temp.moves(m.statement), 'the revision in active_config() moves with ' || m.what)
from (
    values
    ($$select awf.create_experiment('r', 'R', '[{"variation": "a", "percent": 100}]')$$, 'a new experiment'),
    ($$select awf.update_experiment('r', '{"name": "R 2"}')$$, 'a changed experiment'),
    ($$select awf.create_variation('r', 'a')$$, 'a new variation'),
    ($$select awf.update_variation('r', 'a', '{"txtSentenceCap": 4}')$$, 'changed params'),
    ($$select awf.start_experiment('r')$$, 'a start'),
    ($$select awf.set_override('r', 's1', 'a')$$, 'an override'),
    ($$select awf.set_override('r', 's1', null)$$, 'an override that is gone'),
    ($$select awf.set_ramp('r', '[{"coverage": 1, "at": null}]')$$, 'a ramp'),
    ($$select awf.open_phase('r')$$, 'a phase'),
    ($$select awf.stop_experiment('r')$$, 'a stop'),
    ($$select awf.set_setting('model_max_output_tokens', '3000')$$, 'a setting'),
    ($$update awf.knobs set max_value = 50 where name = 'maxChoices'$$, 'a knob'),
    ($$select awf.create_variation('r', 'b')$$, 'one more variation'),
    ($$select awf.delete_variation('r', 'b')$$, 'a deleted variation'),
    ($$select awf.delete_experiment('r')$$, 'a deleted experiment')
) as m (statement, what);
select ok(not pg_temp.moves('select awf.refresh_rollups()'), 'the revision does not move with what is no configuration');

-- active_config().
select is(awf.active_config() -> 'version', '2'::jsonb, 'the document has version 2');
select is(
    awf.active_config() -> 'knobs',
    '{"maxOutputTokens": {"type": "integer", "min": 1, "max": 3000}, "maxActs": {"type": "integer", "min": 1, "max": 100},
    "toolMaxCalls": {"type": "integer", "min": 0, "max": 20}, "timeAdvanceTicks": {"type": "integer", "min": 0, "max": 100000},
    "txtSentenceCap": {"type": "integer", "min": 1, "max": 1000}, "maxChoices": {"type": "integer", "min": 1, "max": 50},
    "temperature": {"type": "number", "min": 0, "max": 2}, "streaming": {"type": "boolean", "min": null, "max": null},
    "seedValue": {"type": "integer", "min": null, "max": null}}'::jsonb,
    'every knob has its type and its range, the budgets folded into the maximum'
);
select awf.set_setting('model_max_output_tokens', '300000');
select is(
    awf.active_config() #> '{knobs,maxOutputTokens,max}', '200000'::jsonb, 'a budget above the range of its knob leaves the range'
);
select awf.set_setting('model_max_output_tokens', null);
-- Running now: t (from February 1), scheduled (from June 1). One more that began before both, and a tie.
select awf.create_experiment(
    'early', 'Early', '[{"variation": "b", "percent": 25}, {"variation": "a", "percent": 75}]', 'player',
    '{"maxActs": 8, "maxChoices": {"min": 2, "max": 4}}', '2025-01-01 00:00+00', '2025-12-01 00:00+00',
    '{"coverage": 0.5, "hashSeed": "x", "hashVersion": 1, "condition": {"locale": "de-DE"}, "allowOverlap": true}'
);
select awf.create_variation('early', 'a', '{"maxActs": 4}');
select awf.create_variation('early', 'b', '{"maxActs": 5}');
select awf.create_variation('early', 'spare');
select awf.start_experiment('early');
select awf.create_experiment('tie', 'Tie', '[{"variation": "a", "percent": 100}]', p_start_at => '2025-01-01 00:00+00');
select awf.create_variation('tie', 'a');
select awf.start_experiment('tie');
select results_eq(
    $$select e.value ->> 'key' from jsonb_array_elements(awf.active_config() -> 'experiments') with ordinality as e
    order by e.ordinality$$,
    $$values ('early'), ('tie'), ('t'), ('scheduled')$$,
    'only running experiments are in it, by their start and then their creation'
);
select is(
    awf.active_config() #> '{experiments,0}' #- '{phases,0,variations}' #- '{phases,0,startAt}' #- '{phases,1,startAt}',
    '{"key": "early", "hashBasis": "player", "hashVersion": 1, "optIn": false, "sticky": false, "layer": null,
    "guardrails": {"maxActs": {"max": 8}, "maxChoices": {"min": 2, "max": 4}}, "overrides": {},
    "params": {"a": {"maxActs": 4}, "b": {"maxActs": 5}, "spare": {}},
    "phases": [
        {"phase": 1, "coverage": 0.5, "hashSeed": "x", "condition": {"locale": "de-DE"}, "bucketVersion": 0,
        "minBucketVersion": 0, "ranges": [[0, 0.125], [0.25, 0.625]]},
        {"phase": 1, "coverage": 0.5, "hashSeed": "x", "condition": {"locale": "de-DE"}, "bucketVersion": 0,
        "minBucketVersion": 0, "ranges": [], "variations": []}
    ]}'::jsonb,
    'an experiment has its hash, its params, its guardrails in their long form, and a timeline with its ranges'
);
select results_eq(
    $$select v.value ->> 'key', (v.value -> 'id')::integer
    from jsonb_array_elements(awf.active_config() #> '{experiments,0,phases,0,variations}') with ordinality as v
    order by v.ordinality$$,
    $$select v.variation_key, v.id from awf.experiment_variations as v
    where v.experiment_key = 'early' and v.variation_key <> 'spare' order by v.variation_key desc$$,
    'the variations of a phase stand in the order of the allocations, with their numbers'
);
select is(
    array[
        (awf.active_config() #>> '{experiments,0,phases,0,startAt}')::timestamptz,
        (awf.active_config() #>> '{experiments,0,phases,1,startAt}')::timestamptz
    ],
    array[timestamptz '2025-01-01 00:00+00', timestamptz '2025-12-01 00:00+00'],
    'its times carry their zone, and its end is planned'
);

-- Listing.
select results_eq(
    $$select key, status, hash_basis, start_at, stop_at, variations from awf.list_experiments('running')$$,
    $$values
    ('early', 'running', 'player', timestamptz '2025-01-01 00:00+00', timestamptz '2025-12-01 00:00+00', 3),
    ('scheduled', 'running', 'session', '2025-06-01 00:00+00', null, 1),
    ('t', 'running', 'session', '2025-02-01 12:00+00', null, 2),
    ('tie', 'running', 'session', '2025-01-01 00:00+00', null, 1)$$,
    'list_experiments() lists those of one status by key'
);
select results_eq(
    'select key from awf.list_experiments()', 'select key from awf.experiments order by key', 'or all of them'
);
select results_eq(
    $$select key from awf.list_experiments('stopped')$$, $$values ('planned')$$, 'stopped ones too'
);

-- Deleting, and the same key again.
select awf.stop_experiment('early');
select awf.record_turn(
    '{"session_id": "s1", "player_hash": "abababababababababababababababababababababababababababababababab", "world_ref": "w",
    "adventure_ref": "a", "ts": "2025-02-01T00:00:00Z", "experiment_key": "early", "variation_key": "a"}'
);
select awf.refresh_rollups();
create temporary table old_experiment as select
    e.id,
    e.created_at
from awf.experiments as e
where e.key = 'early';
select is(
    (
        select count(*) from awf.exposures as x, old_experiment as o
        where x.experiment_id = o.id
    ), 1::bigint,
    'the stopped experiment has an exposure'
);
select lives_ok($$select awf.delete_experiment('early')$$, 'an experiment that is not running can be deleted');
select throws_ok(
    $$select awf.delete_experiment('early')$$, 'WF101', 'there is no experiment "early"', 'and is gone'
);
select is_empty($$select * from awf.experiment_variations where experiment_key = 'early'$$, 'its variations are gone');
select is(
    (
        select count(*) from awf.exposures as x, old_experiment as o
        where x.experiment_id = o.id
    ), 0::bigint,
    'its exposures are gone'
);
select results_eq(
    'select experiment_key, variation_key from awf.analytics_events', $$values ('early', 'a')$$,
    'its events still name it'
);
select lives_ok(
    $$select awf.create_experiment('early', 'Early', '[{"variation": "a", "percent": 100}]')$$, 'its key can be taken again'
);
select isnt(
    (awf.get_experiment('early') -> 'id')::bigint, (select o.id from old_experiment as o), 'with another id'
);
select awf.create_variation('early', 'a');
select awf.start_experiment('early');
select awf.refresh_rollups();
select awf.backfill('2025-02-01', '2025-02-01');
select is_empty(
    $$select * from awf.exposures as x inner join awf.experiments as e on x.experiment_id = e.id where e.key = 'early'$$,
    'it starts with no exposure, not even after a recompute'
);
select is_empty($$select * from awf.experiment_report('early')$$, 'and with no turn in its report');
select lives_ok($$select awf.delete_experiment('plain')$$, 'a draft can be deleted');

-- What has units stays, whatever phase gave it them; what changes nothing counts nothing.
select awf.create_experiment('past', 'Past', '[{"variation": "a", "percent": 50}, {"variation": "b", "percent": 50}]');
select awf.create_variation('past', v.key) from (values ('a'), ('b')) as v (key);
select awf.start_experiment('past');
create or replace function awf._now() returns timestamptz language sql stable parallel safe
return timestamptz '2030-01-01 00:00:00+00';
select awf.open_phase('past', '{"allocations": [{"variation": "a", "percent": 100}]}');
select throws_ok($$select awf.delete_variation('past', 'b')$$, 'WF106', null, 'a variation of an earlier phase stays');
create temporary table document as select awf.get_experiment('past') as d;
select is(
    awf.update_experiment(
        'past', (select d || '{"state": "draft"}' from document), (select (d -> 'revision')::bigint from document)
    ) -> 'revision', (select d -> 'revision' from document), 'a document that changes nothing leaves the revision'
);
select awf.stop_experiment('past');
select awf.delete_experiment('past');
select awf.create_experiment('past', 'Past, again');
select is(
    (awf._experiment_config(awf._find_experiment('past'), true) #> '{phases,0,bucketVersion}')::integer, 2,
    'an experiment of a used key begins with sticky assignments of a version that the two phases before it did not have'
);
set local extra_float_digits = -13;
select is(
    awf.bucket_ranges(3, 1, '{0.3333,0.3333,0.3334}'), '[[0, 0.3333], [0.3333, 0.6666], [0.6666, 1.0]]'::jsonb,
    'ranges keep their digits, whatever the setting of the caller'
);

select finish();
rollback;
