-- What may be kept of a refused event: its own fields, texts cut short, and no metric but numbers and booleans.
-- Called wherever an event is refused.
-- Costs a walk over the document.
create or replace function awf._event_remains(p_event jsonb)
returns jsonb
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select coalesce(jsonb_object_agg(left(f.key, 100), case jsonb_typeof(f.value)
            when 'string' then to_jsonb(left(f.value #>> '{}', 200))
            when 'object' then (
                select coalesce(jsonb_object_agg(left(x.key, 100), x.value), '{}')
                from jsonb_each(f.value) as x
                where jsonb_typeof(x.value) in ('number', 'boolean')
            )
            else f.value
        end), '{}')
        from jsonb_each(p_event) as f
        where f.value <> 'null'::jsonb and f.key not in ('player_id', 'playerId')
            and (f.key = any (awf._event_fields() || 'extra'::text) or jsonb_typeof(f.value) in ('number', 'boolean'))
    );
end;
$$;
comment on function awf._event_remains(jsonb) is 'The event without free text and without a raw player id.';
