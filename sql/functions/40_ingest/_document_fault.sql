-- Says what cannot be read in an event document: wrong types, unknown fields, variations that do not exist.
-- Called by _parse_event(). What can be read but is not accepted is found by _event_fault().
-- Costs a walk over the document.
create or replace function awf._document_fault(p_event jsonb)
returns text
language plpgsql
stable
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_metrics constant jsonb := awf._event_metrics(p_event);
begin
    if jsonb_typeof(p_event) is distinct from 'object' then
        return format('not_an_object: the event is %s', coalesce(jsonb_typeof(p_event), 'NULL'));
    elsif p_event - awf._event_fields() <> '{}'::jsonb then
        return (
            select format('unknown_field: there is no field "%s"', left(min(f.key), 60))
            from jsonb_object_keys(p_event - awf._event_fields()) as f (key)
        );
    elsif p_event ->> 'id' !~* '^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$' then
        return format('bad_id: id is "%s", not a UUID', left(p_event ->> 'id', 40));
    elsif p_event ->> 'ts' is not null and awf._to_timestamp(p_event ->> 'ts') is null then
        return format('bad_ts: ts is "%s", not a time', left(p_event ->> 'ts', 40));
    elsif coalesce(p_event ->> 'player_hash', p_event ->> 'playerHash') !~* '^[0-9a-f]{64}$' then
        return 'bad_player_hash: player_hash is not 64 hexadecimal digits';
    elsif jsonb_typeof(v_metrics) <> 'object' then
        return format('bad_metric: metrics is %s, not an object', jsonb_typeof(v_metrics));
    elsif coalesce(jsonb_typeof(p_event -> 'assignments'), 'null') not in ('array', 'null') then
        return format('bad_assignments: assignments is %s, not a list', jsonb_typeof(p_event -> 'assignments'));
    end if;
    return coalesce(awf._metrics_fault(v_metrics), awf._assignments_fault(p_event));
end;
$$;
comment on function awf._document_fault(jsonb) is '"reason: what is wrong" with an event document; NULL when it can be read.';
