-- Layers: experiments of one layer share its units and never one unit.

create table awf.layers (
    id integer generated always as identity primary key,
    key text not null unique check (key ~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$'),
    hash_basis text not null check (hash_basis in ('session', 'player')),
    description text not null default '',
    created_at timestamptz not null default now()
);
comment on table awf.layers is
'Layers: a unit falls into one of 1,000 slots of a layer, and each experiment of the layer holds slots of its own.';
comment on column awf.layers.id is 'Number of the layer.';
comment on column awf.layers.key is 'Public name, 1 to 63 characters; also the seed of its slots.';
comment on column awf.layers.hash_basis is 'What falls into the slots: session (session id) or player (player hash). Its experiments have the same.';
comment on column awf.layers.description is 'What the layer is for.';
comment on column awf.layers.created_at is 'When it was created.';

alter table awf.experiments
add column layer_id integer references awf.layers (id),
add column slots int4range check (slots <@ int4range(0, 1000) and not isempty(slots)),
add check ((layer_id is null) = (slots is null));
comment on column awf.experiments.layer_id is 'Layer it belongs to; NULL for none.';
comment on column awf.experiments.slots is 'Slots of the layer that it takes, out of [0,1000).';

-- The layer's number goes into the range, so one exclusion constraint of built-in types keeps all layers apart.
create table awf.layer_claims (
    id bigint generated always as identity primary key,
    layer_id integer not null references awf.layers (id) on delete cascade,
    experiment_id bigint references awf.experiments (id) on delete cascade,
    slots int8range not null,
    in_force tstzrange not null check (not isempty(in_force)),
    constraint slots_belong_to_one check (
        slots <@ int8range(layer_id * 1000::bigint, (layer_id + 1) * 1000::bigint) and not isempty(slots)
    ),
    constraint slots_are_taken_once exclude using gist (slots with &&, in_force with &&)
);
comment on table awf.layer_claims is 'Who holds which slots of a layer, and when. No two claims share a slot at one moment.';
comment on column awf.layer_claims.id is 'Number of the claim.';
comment on column awf.layer_claims.layer_id is 'Layer.';
comment on column awf.layer_claims.experiment_id is 'experiments.id; NULL for the holdout, which keeps its units out of every experiment of the layer.';
comment on column awf.layer_claims.slots is 'The slots, as 1000 x layer_id + slot.';
comment on column awf.layer_claims.in_force is 'From the start of the experiment to its end.';

insert into awf.locks (name) values ('configuration');
comment on column awf.locks.name is
'Task: rollups (refresh and recompute), partitions (making one) or configuration (starting experiments, changing running ones).';

alter table awf.layers enable row level security;
alter table awf.layer_claims enable row level security;
create policy readers on awf.layers for select to current_user using (true);
create policy readers on awf.layer_claims for select to current_user using (true);
