-- Overrides: a variation forced on a named unit, for trying things out.

create table awf.experiment_overrides (
    experiment_id bigint not null references awf.experiments (id) on delete cascade,
    unit_id text not null check (length(unit_id) between 1 and 200),
    variation_key text not null,
    note text not null default '',
    set_at timestamptz not null default now(),
    primary key (experiment_id, unit_id)
);
comment on table awf.experiment_overrides is
'Variations forced on named units. Their turns play with the variation''s params and count in no experiment.';
comment on column awf.experiment_overrides.experiment_id is 'experiments.id.';
comment on column awf.experiment_overrides.unit_id is 'Session id or player hash (hex), as the experiment''s hash basis says.';
comment on column awf.experiment_overrides.variation_key is 'The variation that the unit gets.';
comment on column awf.experiment_overrides.note is 'Who asked for it, and what for.';
comment on column awf.experiment_overrides.set_at is 'When it was set.';

alter table awf.experiment_overrides enable row level security;
create policy readers on awf.experiment_overrides for select to current_user using (true);
