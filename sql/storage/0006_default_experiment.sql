-- An experiment to try things on: present after every installation, as a draft.

with made as (
    insert into awf.experiments (key, name, allocations, guardrails, hash_seed)
    values (
        'awf-default-test',
        'Default experiment for testing',
        '[{"variation": "control", "percent": 50}, {"variation": "treatment", "percent": 50}]',
        '{"maxOutputTokens": 2000, "maxActs": 8, "toolMaxCalls": 10}',
        'awf-default-test'
    )
    returning id, key
),

numbered as (
    insert into awf.variation_ids (experiment_id, experiment_key, variation_key)
    select
        made.id,
        made.key,
        v.variation_key
    from made
    cross join (values ('control'), ('treatment')) as v (variation_key)
    returning id, experiment_key, variation_key
)

insert into awf.experiment_variations (experiment_key, variation_key, params, id)
select
    experiment_key,
    variation_key,
    case variation_key when 'control' then '{"maxActs": 6}'::jsonb else '{"maxActs": 8}'::jsonb end,
    id
from numbered;
