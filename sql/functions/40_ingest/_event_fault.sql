-- Says what is wrong with an event, field by field: the one place where an event is judged.
-- Called for events that do not come by direct COPY, whose table has constraints to the same effect.
-- Costs a few microseconds.
create or replace function awf._event_fault(
    p_ts timestamptz,
    p_id uuid,
    p_session_id text,
    p_player_hash bytea,
    p_world_ref text,
    p_adventure_ref text,
    p_locale text,
    p_model text,
    p_assignments integer[],
    p_metrics bigint[],
    p_extra jsonb,
    p_oldest timestamptz,
    p_newest timestamptz,
    p_variation_ids integer[],
    p_attributes jsonb default null
)
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- No subquery in here: a plain expression is evaluated five times as fast.
    return case
        when p_id is null then 'bad_id: id is missing'
        when p_ts is null then 'bad_ts: ts is missing'
        when not p_ts between p_oldest and p_newest
            then format('ts_out_of_window: ts is %s; accepted is %s to %s', p_ts, p_oldest, p_newest)
        when coalesce(p_session_id, '') = '' then 'missing_session: session_id is missing'
        when length(p_session_id) > 200 then format('too_long: session_id has %s characters, more than 200', length(p_session_id))
        when p_player_hash is null then 'missing_player: player_hash is missing'
        when octet_length(p_player_hash) <> 32
            then format('bad_player_hash: player_hash has %s bytes, not 32', octet_length(p_player_hash))
        when coalesce(p_world_ref, '') = '' then 'missing_world: world_ref is missing'
        when length(p_world_ref) > 200 then format('too_long: world_ref has %s characters, more than 200', length(p_world_ref))
        when coalesce(p_adventure_ref, '') = '' then 'missing_adventure: adventure_ref is missing'
        when length(p_adventure_ref) > 200
            then format('too_long: adventure_ref has %s characters, more than 200', length(p_adventure_ref))
        when awf._is_locale(p_locale) is not true
            then format('bad_locale: locale is "%s", not one like en-US', left(p_locale, 40))
        when length(p_model) not between 1 and 200 then format('too_long: model has %s characters, not 1 to 200', length(p_model))
        when array_ndims(p_assignments) > 1 then 'bad_assignments: assignments has more than one dimension'
        when not p_assignments <@ p_variation_ids or array_position(p_assignments, null) is not null
            then format('unknown_variation: assignments %s name a variation that does not exist', p_assignments)
        when 0 > any (p_metrics) or 2147483647 < any (p_metrics) then awf._metric_out_of_range(p_metrics)
        when jsonb_typeof(p_extra) <> 'object' then format('bad_extra: extra is %s, not an object', jsonb_typeof(p_extra))
        when octet_length(p_extra::text) > 8192
            then format('too_long: extra takes %s bytes, more than 8192', octet_length(p_extra::text))
        when jsonb_path_exists(p_extra, 'strict $.* ? (@.type() != "number" && @.type() != "boolean")')
            then coalesce(awf._metrics_fault(p_extra), 'bad_extra: metric "model" is not a number or boolean')
        when p_attributes is not null then awf._attributes_fault(p_attributes)
    end;
end;
$$;
comment on function awf._event_fault(
    timestamptz, uuid, text, bytea, text, text, text, text, integer[], bigint[], jsonb, timestamptz, timestamptz, integer[], jsonb
) is '"reason: what is wrong", naming the field and the value; NULL for a good event. Metrics in the order of _metric_columns().';
