-- Templates: definitions to begin an experiment with.

create table awf.experiment_templates (
    key text primary key check (key ~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$'),
    description text not null default '',
    definition jsonb not null check (jsonb_typeof(definition) = 'object'),
    built_in boolean not null default false,
    created_at timestamptz not null default now()
);
comment on table awf.experiment_templates is 'Templates of experiments: those that come with the system, and those saved from experiments.';
comment on column awf.experiment_templates.key is 'Public name, 1 to 63 characters.';
comment on column awf.experiment_templates.description is 'What an experiment made from it tries.';
comment on column awf.experiment_templates.definition is
'{"allocations": [...], "guardrails": {...}, "variations": {key: params}} and any other field of an experiment.';
comment on column awf.experiment_templates.built_in is 'Comes with the system: it can be neither replaced nor deleted.';
comment on column awf.experiment_templates.created_at is 'When it was saved.';

insert into awf.experiment_templates (key, description, definition, built_in) values
(
    'token-budget',
    'A larger budget of output tokens against the usual one.',
    '{
        "allocations": [{"variation": "control", "percent": 50}, {"variation": "high-budget", "percent": 50}],
        "guardrails": {"maxOutputTokens": {"min": 500, "max": 2000}},
        "variations": {"control": {"maxOutputTokens": 1500}, "high-budget": {"maxOutputTokens": 2000}},
        "hypothesis": "More output tokens make longer turns and more expensive ones, without more failed turns.",
        "tags": ["tokens", "cost"]
    }',
    true
),
(
    'latency-budget',
    'Shorter answers and fewer acts, so that a turn comes back sooner.',
    '{
        "allocations": [{"variation": "control", "percent": 50}, {"variation": "quick", "percent": 50}],
        "guardrails": {"maxOutputTokens": {"min": 400, "max": 2000}, "maxActs": {"min": 2, "max": 8}, "txtSentenceCap": {"min": 2}},
        "variations": {
            "control": {"maxOutputTokens": 1500, "maxActs": 6, "txtSentenceCap": 12},
            "quick": {"maxOutputTokens": 900, "maxActs": 4, "txtSentenceCap": 7}
        },
        "hypothesis": "A smaller budget lowers the latency of a turn without more retries or fallbacks.",
        "tags": ["latency"]
    }',
    true
),
(
    'tool-call-limit',
    'Fewer tool calls in a turn against the usual limit.',
    '{
        "allocations": [{"variation": "control", "percent": 50}, {"variation": "few-calls", "percent": 50}],
        "guardrails": {"toolMaxCalls": {"min": 1, "max": 10}},
        "variations": {"control": {"toolMaxCalls": 8}, "few-calls": {"toolMaxCalls": 4}},
        "hypothesis": "Half the tool calls are enough: latency falls and failed turns do not rise.",
        "tags": ["tools", "latency"]
    }',
    true
),
(
    'choice-count',
    'More choices after a turn against fewer.',
    '{
        "allocations": [
            {"variation": "control", "percent": 34}, {"variation": "fewer", "percent": 33}, {"variation": "more", "percent": 33}
        ],
        "guardrails": {"maxChoices": {"min": 2, "max": 6}},
        "variations": {"control": {"maxChoices": 4}, "fewer": {"maxChoices": 3}, "more": {"maxChoices": 6}},
        "hypothesis": "The number of choices offered changes how long a session lasts.",
        "tags": ["choices", "engagement"]
    }',
    true
);

alter table awf.experiment_templates enable row level security;
create policy readers on awf.experiment_templates for select to current_user using (true);
