-- The face of turn_events: the documented columns as text, hex and JSON. It reads with the rights of who asks.
create or replace view awf.analytics_events
with (security_invoker = true) as
select
    e.id,
    e.ts,
    e.session_id,
    encode(e.player_hash, 'hex') as player_hash,
    w.value as world_ref,
    a.value as adventure_ref,
    l.value as locale,
    v.experiment_key,
    v.variation_key,
    -- A metric that has a column is what the column says, whatever a COPY has put into extra.
    coalesce(e.extra, '{}') || jsonb_strip_nulls(jsonb_build_object(
        'turnLatencyMs', trim_scale(e.turn_latency_us / 1000.0),
        'modelLatencyMs', trim_scale(e.model_latency_us / 1000.0),
        'bundleMs', trim_scale(e.bundle_us / 1000.0),
        'bundleTokens', e.bundle_tokens,
        'outputTokens', e.output_tokens,
        'retries', e.retries,
        'fallbacks', e.fallbacks,
        'toolCalls', e.tool_calls,
        'acts', e.acts,
        'choices', e.choices,
        'timeAdvanceTicks', e.time_advance_ticks,
        'failed', nullif(e.failed, false),
        'model', m.value
    )) as metrics,
    e.created_at,
    e.attributes
from awf.turn_events as e
left join awf.dimensions as w on e.world_id = w.id and w.kind = 'world'
left join awf.dimensions as a on e.adventure_id = a.id and a.kind = 'adventure'
left join awf.dimensions as l on e.locale_id = l.id and l.kind = 'locale'
left join awf.dimensions as m on e.model_id = m.id and m.kind = 'model'
left join awf.variation_ids as v on e.assignments[1] = v.id;
comment on view awf.analytics_events is
'Turn events as documented: SELECT for analysts, INSERT for writers (id and ts are filled in when NULL).
experiment_key and variation_key are the first of the turn''s experiments. metrics holds what was measured, in ms and counts.';
comment on column awf.analytics_events.id is 'Id of the event (UUIDv7).';
comment on column awf.analytics_events.ts is 'When the turn happened.';
comment on column awf.analytics_events.session_id is 'Game session.';
comment on column awf.analytics_events.player_hash is 'HMAC-SHA256 of the player id, 64 hexadecimal digits.';
comment on column awf.analytics_events.world_ref is 'World.';
comment on column awf.analytics_events.adventure_ref is 'Adventure.';
comment on column awf.analytics_events.locale is 'Locale, such as en-US.';
comment on column awf.analytics_events.experiment_key is 'First experiment in force at the turn; NULL for none.';
comment on column awf.analytics_events.variation_key is 'The variation it gave.';
comment on column awf.analytics_events.metrics is 'Metrics as one document: the standard ones (table metrics), failed, model, and further ones.';
comment on column awf.analytics_events.created_at is 'When the row was stored.';
comment on column awf.analytics_events.attributes is 'What the turn said about its unit: texts, numbers and booleans; NULL for nothing.';

create or replace trigger insert_event
instead of insert on awf.analytics_events
for each row execute function awf._insert_analytics_event();
