-- Targeting: conditions, what saving refuses, and who is assigned.
begin;
select plan(75);

-- Conditions. The full set of public vectors is run by the tests in Python; these are the rules that it leaves open.
select is(awf.matches(c.condition::jsonb, c.attributes::jsonb), c.expected, c.what)
from (
    values
    ('{}', null, true, 'the empty condition is met by NULL'),
    ('{}', '5', true, 'and by attributes that are no object'),
    (null, '{}', false, 'NULL is no condition'),
    ('[]', '{}', false, 'a list is no condition'),
    ('{"a": 1}', '{"a": 1.0}', true, '1 is 1.0'),
    ('{"a": 1}', '{"a": "1"}', false, 'a number is no text'),
    ('{"a": 1}', '{"a": true}', false, 'a number is no boolean'),
    ('{"a": {"x": 1, "y": [2]}}', '{"a": {"y": [2.0], "x": 1}}', true, 'the order of keys does not count'),
    ('{"a": 0.1}', '{"a": 0.1000000000000000000001}', true, 'numbers are doubles'),
    ('{"a": {"$lt": 1e400}}', '{"a": 1e308}', true, 'the largest are infinite'),
    ('{"a": 0}', '{"a": 1e-400}', true, 'the smallest are zero'),
    ('{"a": {"$gt": 5}}', '{"a": " 8"}', false, 'a text with a blank is no number'),
    ('{"a": {"$gt": 5}}', '{"a": true}', false, 'nor is a boolean'),
    ('{"a": {"$gt": "é"}}', '{"a": "z"}', false, 'texts compare by code point'),
    ('{"a": {"$lt": "😀"}}', '{"a": "！"}', true, 'beyond the first plane, too'),
    ('{"a": {"$ini": ["É", "B"]}}', '{"a": "é"}', false, 'the case of letters beyond ASCII counts'),
    ('{"a": {"$regexi": "^É$"}}', '{"a": "é"}', false, 'in a regular expression, too'),
    ('{"a": {"$regex": "^a.b$"}}', '{"a": "a\nb"}', true, 'a dot is any character'),
    ('{"a": {"$regex": "a$"}}', '{"a": "a\n"}', false, 'a dollar is the very end'),
    ('{"a": {"$regex": "^\\d$"}}', '{"a": "٣"}', false, 'digits are those of ASCII'),
    ('{"a": {"$notRegex": "x"}}', '{}', true, 'a missing attribute has no match'),
    ('{"a.length": 2, "a.1": "y"}', '{"a": ["x", "y"]}', true, 'a list has a length and elements'),
    ('{"a.-1": "y"}', '{"a": ["x", "y"]}', false, 'but none from its end'),
    ('{"": 1}', '{"": 1}', true, 'the empty name is a name'),
    ('{"a": {"$in": [null]}}', '{}', true, 'a missing attribute is null'),
    ('{"$not": {"a": {"$in": 5}}}', '{"a": 1}', false, 'a malformed condition is not met inside $not'),
    ('{"$or": [{}, {"a": {"$near": 5}}]}', '{"a": 1}', false, 'nor beside one that is met'),
    ('{"a": {"$not": {"$regex": "("}}}', '{"a": "x"}', false, 'nor where the pattern is malformed')
) as c (condition, attributes, expected, what);
select is(awf.matches('{"a": {"$inGroup": "g"}}', '{"a": 1}', '{"g": 5}'), false, 'a group that is no list is empty');
select is(awf.matches('{"a": {"$notInGroup": "g"}}', '{"a": 1}', null), true, 'without groups there are no members');

-- What saving refuses.
select
    throws_ok(
        format(
            'select awf.create_experiment(%L, %L, p_settings => %L)', 'e', 'E',
            jsonb_build_object('condition', c.condition::jsonb)
        ),
        'WF113', 'condition of experiment "e" is malformed at ' || c.fault, 'refused: ' || c.fault
    )
from (
    values
    ('null', '$: must be an object'), ('[]', '$: must be an object'), ('"x"', '$: must be an object'),
    ('{"locale": {"$in": "de-DE"}}', '$.locale.$in: must be a list'),
    ('{"locale": {"$in": ["de-DE", ["x"]]}}', '$.locale.$in[1]: must be text, a number, true, false or null'),
    ('{"$or": {"a": 1}}', '$.$or: must be a list'),
    ('{"$or": [{"a": 1}, 5]}', '$.$or[1]: must be an object'),
    ('{"$and": [{}, {"$nor": [{"b": {"$size": {"$gt": null}}}]}]}', '$.$and[1].$nor[0].b.$size.$gt: must be a number or text'),
    ('{"$not": 5}', '$.$not: must be an object'),
    ('{"$in": ["de-DE"]}', '$.$in: is an operator, where an attribute belongs'),
    ('{"$savedGroup": {"id": "x"}}', '$.$savedGroup: is not supported'),
    ('{"a": {"$near": 1}}', '$.a.$near: is not an operator'),
    ('{"a": {"$or": []}}', '$.a.$or: is not an operator'),
    ('{"a": {"$gt": 1, "b": 2}}', '$.a.b: stands beside operators and is none'),
    ('{"a": {}}', '$.a: is empty'),
    ('{"a": {"$eq": [1]}}', '$.a.$eq: must be text, a number, true, false or null'),
    ('{"a": {"$vgt": 1}}', '$.a.$vgt: must be text'),
    ('{"a": {"$inGroup": ["x"]}}', '$.a.$inGroup: must be text'),
    ('{"a": {"$exists": "yes"}}', '$.a.$exists: must be true or false'),
    ('{"a": {"$type": "text"}}', '$.a.$type: must be string, number, boolean, array, object or null'),
    ('{"a": {"$all": [1, {"$gt": []}]}}', '$.a.$all[1].$gt: must be a number or text'),
    ('{"a": {"$elemMatch": 5}}', '$.a.$elemMatch: must be an object'),
    ('{"a": {"$elemMatch": {"b": {"$lt": true}}}}', '$.a.$elemMatch.b.$lt: must be a number or text'),
    ('{"a": {"$regex": 5}}', '$.a.$regex: must be text'),
    ('{"a": {"$regex": "x("}}', '$.a.$regex: has a group that is not closed'),
    ('{"a": {"$regex": "x)"}}', '$.a.$regex: cannot be read from ")" on'),
    ('{"a": {"$regex": "a**"}}', '$.a.$regex: cannot be read from "*" on'),
    ('{"a": {"$regexi": "(?i)x"}}', '$.a.$regexi: cannot be read from "?i)x" on'),
    ('{"a": {"$regex": "(x)\\1"}}', '$.a.$regex: cannot be read from "\1" on'),
    ('{"a": {"$regex": "\\bx"}}', '$.a.$regex: cannot be read from "\bx" on'),
    ('{"a": {"$regex": "[z-a]"}}', '$.a.$regex: has a range out of order, or repeats too often, at "[z-a]"'),
    ('{"a": {"$regex": "(x{50}){50}"}}', '$.a.$regex: has a range out of order, or repeats too often, at "{50}"')
) as c (condition, fault);
select throws_ok(
    format($$select awf.update_experiment('awf-default-test', %L)$$, '{"condition": {"a": {"$in": 1}}}'), 'WF113',
    'condition of experiment "awf-default-test" is malformed at $.a.$in: must be a list', 'an update is checked, too'
);

-- Who is assigned.
select awf.create_experiment(
    'german', 'German', '[{"variation": "a", "percent": 100}]',
    p_settings => '{"condition": {"locale": {"$in": ["de-DE", "de-AT"]}, "level": {"$gte": 5}}}'
);
select awf.create_variation('german', 'a', '{"maxActs": 4}');
select awf.start_experiment('german');
select is(awf.assign('german', 's', p_attributes => a.attributes), a.variation, 'assign(): ' || a.what)
from (
    values
    ('{"locale": "de-DE", "level": 5}'::jsonb, 'a', 'a turn that meets the condition is in'),
    ('{"locale": "fr-FR", "level": 5}', null, 'another one is not'),
    ('{"locale": "de-DE"}', null, 'nor is one of which too little is known'),
    ('{}', null, 'nor one of which nothing is known'),
    (null, null, 'NULL is nothing')
) as a (attributes, variation, what);
select is(
    awf.turn_params('s', null, p_attributes => '{"locale": "de-AT", "level": 7}') #>> '{exposures,0,experiment}', 'german',
    'turn_params(): a turn that meets the condition is exposed'
);
select is(
    awf.turn_params('s', null, '{"maxActs": 3}', '{"locale": "en-US", "level": 7}'),
    '{"params": {"maxActs": 3}, "exposures": [], "forced": [], "invalid": [], "sticky": {}}'::jsonb,
    'another one keeps its defaults'
);
select is(
    awf.active_config() #> '{experiments,0,phases,0,condition}', awf.get_experiment('german') -> 'condition',
    'the condition is part of the configuration'
);
select throws_ok(
    $$select awf.update_experiment('german', '{"condition": {}}')$$, 'WF106',
    'experiment "german" has started: its condition stays as it is', 'it cannot change once the experiment has started'
);
select throws_ok(
    format('select awf.assign(%L, %L, p_attributes => %L)', 'german', 's', '[]'), 'WF001', 'attributes cannot be []',
    'assign() refuses attributes that are no object'
);
select throws_ok(
    format('select awf.turn_params(%L, null, p_attributes => %L)', 's', '"x"'), 'WF001', 'attributes cannot be "x"',
    'and so does turn_params()'
);
select throws_ok(
    $$update awf.experiments set condition = '[]' where key = 'german'$$, '23514', null, 'the table keeps objects only'
);

select finish();
rollback;
