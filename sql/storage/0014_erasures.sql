-- Erasures: who was forgotten, told by a keyed digest; and which refused events can be tried again.

-- Two pads, as in player_hash_key: an HMAC without pgcrypto.
create table awf.erasure_key (
    singleton boolean primary key default true check (singleton),
    inner_pad bytea not null check (octet_length(inner_pad) = 64),
    outer_pad bytea not null check (octet_length(outer_pad) = 64)
);
comment on table awf.erasure_key is
'The secret behind the digests of erasures, made at installation. No role may read it. It belongs into dumps: without it
reapply_erasures() recognizes nobody.';
comment on column awf.erasure_key.singleton is 'Always true: there is one key.';
comment on column awf.erasure_key.inner_pad is 'Key, padded to 64 bytes and XORed with 0x36 (RFC 2104).';
comment on column awf.erasure_key.outer_pad is 'Key, padded to 64 bytes and XORed with 0x5c (RFC 2104).';

-- Each random UUID brings 122 bits from the server's strong random numbers.
with secret as materialized (
    select sha256(string_agg(uuid_send(gen_random_uuid()), '')) as key
    from generate_series(1, 4)
)

insert into awf.erasure_key (inner_pad, outer_pad)
select
    awf._pad_key(s.key, 54),
    awf._pad_key(s.key, 92)
from secret as s;

create table awf.erasures (
    id bigint generated always as identity primary key,
    digest bytea not null check (octet_length(digest) = 32),
    erased_at timestamptz not null,
    erased_by text not null,
    events bigint not null,
    exposures bigint not null,
    rejected bigint not null,
    days integer not null
);
comment on table awf.erasures is
'One row for each time that a player was forgotten. Whom it was about is told by a keyed digest alone: it can be recognized, not read.';
comment on column awf.erasures.id is 'Number of the erasure.';
comment on column awf.erasures.digest is 'HMAC-SHA256 of the player hash under the secret of erasure_key.';
comment on column awf.erasures.erased_at is 'When.';
comment on column awf.erasures.erased_by is 'Role that asked for it.';
comment on column awf.erasures.events is 'Events of the player that were deleted.';
comment on column awf.erasures.exposures is 'First exposures that were his.';
comment on column awf.erasures.rejected is 'Refused events of the player that were deleted.';
comment on column awf.erasures.days is 'Days whose totals were made anew.';
create index erasures_digest on awf.erasures (digest);

alter table awf.rejected_events add column complete boolean not null default false;
comment on column awf.rejected_events.complete is
'Nothing of the event was cut or taken out, but a player id whose hash stands beside it: retry_rejected() may try it again.';

alter table awf.erasure_key enable row level security;
alter table awf.erasures enable row level security;
create policy readers on awf.erasures for select to current_user using (true);
