-- Says what cannot be read in an event document: wrong types, unknown fields, variations that do not exist.
-- Called by _parse_event(). What can be read but is not accepted is found by _event_fault().
-- Costs a walk over the document.
create or replace function awf._document_fault(
    p_event jsonb,
    p_ts timestamptz,
    p_metrics jsonb,
    p_values bigint[],
    p_assignments integer[]
)
returns text
language plpgsql
stable
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    c_documents constant text[] := array['metrics', 'attributes', 'assignments'];
    v_id constant text := p_event ->> 'id';
    v_hash constant text := coalesce(p_event ->> 'player_hash', p_event ->> 'playerHash');
begin
    -- A regular expression that counts to 32 costs ten times as much as one that does not.
    if jsonb_typeof(p_event) is distinct from 'object' then
        return format('not_an_object: the event is %s', coalesce(jsonb_typeof(p_event), 'NULL'));
    elsif p_event - awf._event_fields() <> '{}'::jsonb then
        return (
            select format('unknown_field: there is no field "%s"', left(min(f.key), 60))
            from jsonb_object_keys(p_event - awf._event_fields()) as f (key)
        );
    elsif jsonb_path_exists(p_event - c_documents, 'strict $.* ? (@.type() == "object" || @.type() == "array")') then
        return (
            select min(format('wrong_type: %s is %s, not a text', f.key, jsonb_typeof(f.value)))
            from jsonb_each(p_event - c_documents) as f
            where jsonb_typeof(f.value) in ('object', 'array')
        );
    elsif (v_id like '________-____-____-____-____________' and length(replace(v_id, '-', '')) = 32 and v_id ~ '^[0-9a-f-]+$') is not true
        and v_id !~* '^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$' then
        return format('bad_id: id is "%s", not a UUID', left(v_id, 40));
    elsif p_ts is null then
        return format('bad_ts: ts is "%s", not a time', left(p_event ->> 'ts', 40));
    elsif length(v_hash) <> 64 or v_hash !~ '^[0-9A-Fa-f]+$' then
        return 'bad_player_hash: player_hash is not 64 hexadecimal digits';
    elsif v_hash is null and coalesce(p_event ->> 'player_id', p_event ->> 'playerId') <> '' and not exists (select from awf.player_hash_key) then
        return 'no_hash_key: player_id cannot be hashed, no player hash key is stored in this database';
    elsif jsonb_typeof(p_metrics) <> 'object' then
        return format('bad_metric: metrics is %s, not an object', jsonb_typeof(p_metrics));
    elsif coalesce(jsonb_typeof(p_event -> 'assignments'), 'null') not in ('array', 'null') then
        return format('bad_assignments: assignments is %s, not a list', jsonb_typeof(p_event -> 'assignments'));
    end if;
    -- That a metric is bad shows at once; which one, and why, takes a query.
    return coalesce(
        case
            when 0 > any (p_values) or jsonb_typeof(p_metrics -> 'failed') <> 'boolean' or jsonb_path_exists(
                p_metrics - awf._metric_names() - 'model'::text, 'strict $.* ? (@.type() != "number" && @.type() != "boolean")'
            ) then awf._metrics_fault(p_metrics)
        end,
        awf._assignments_fault(p_event, p_assignments)
    );
end;
$$;
comment on function awf._document_fault(jsonb, timestamptz, jsonb, bigint[], integer[]) is
'"reason: what is wrong" with an event document; NULL when it can be read. With it come what was read of it: its moment, its metrics
document, their values and the numbers of its variations.';
