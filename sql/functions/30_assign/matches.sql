-- Whether the attributes of a turn meet a condition: the twin of the Python function, held equal by tests.
-- Called by assign() and turn_params(), and by anybody who wants to try a condition.
-- Costs two walks over the condition: one that reads it, one that evaluates it.
create or replace function awf.matches(p_condition jsonb, p_attributes jsonb, p_groups jsonb default '{}')
returns boolean
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return awf._condition_fault(p_condition) is null
        and awf._meets_condition(p_condition, coalesce(p_attributes, '{}'), coalesce(p_groups, '{}'));
end;
$$;
comment on function awf.matches(jsonb, jsonb, jsonb) is
'Whether attributes meet a condition in GrowthBook''s language: {"locale": {"$in": ["de-DE", "fr-FR"]}, "player.level": {"$gte": 5}}.
A condition is an object; all its entries must be met. $and, $or, $nor (lists of conditions) and $not combine conditions; any other
key is the path of an attribute, dots leading into objects. An attribute must equal the value (same JSON type), or meet every
operator: $eq $ne; $lt $lte $gt $gte (texts by code point; a number and a text such as "8" as numbers; a missing attribute is 0);
$veq $vne $vlt $vlte $vgt $vgte (versions); $in $nin, $ini $nini without regard to case; $inGroup $notInGroup (p_groups: {name: list});
$regex $notRegex, $regexi $notRegexi without regard to case; $exists, $type, $size, $all, $alli, $elemMatch, $not.
Case is that of ASCII letters. A missing attribute is null. A regular expression may use characters, ., \d \w \s \D \W \S (ASCII),
escapes, [sets], groups, |, ^, $ and the usual quantifiers; . is any character and $ the very end.
A malformed condition is not met, not even inside $not; _condition_fault() is what says where it is malformed.
Example: SELECT awf.matches(''{"locale": {"$in": ["de-DE", "fr-FR"]}}'', ''{"locale": "de-DE"}'');  -- true';
