-- Targeting: whom an experiment is for.

alter table awf.experiments add column condition jsonb not null default '{}'::jsonb check (jsonb_typeof(condition) = 'object');
comment on column awf.experiments.condition is 'Condition on the attributes of a turn, as awf.matches() reads it; {} lets everybody in.';
