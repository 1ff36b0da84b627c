-- What may be kept of a refused event: ids and names cut short, numbers and booleans, and nothing else.
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
    if jsonb_typeof(p_event) is distinct from 'object' then
        return '{}'::jsonb;
    end if;
    return (
        select coalesce(jsonb_object_agg(left(f.key, 100), r.value) filter (where r.value is not null), '{}')
        from jsonb_each(p_event) as f
        cross join lateral (
            select case
                -- First of all: a player id may be a number.
                when f.key in ('player_hash', 'playerHash') then awf._hash_remains(f.value)
                when f.key in ('player_id', 'playerId') then null
                when f.key <> all (awf._event_fields() || awf._metric_columns() || array['failed', 'extra']) then null
                when jsonb_typeof(f.value) in ('number', 'boolean') then f.value
                when f.key in ('metrics', 'attributes', 'extra') then awf._numbers_in(f.value)
                when f.key = 'assignments' then awf._assignments_remain(f.value)
                when jsonb_typeof(f.value) = 'string' then to_jsonb(left(f.value #>> '{}', 200))
            end as value
        ) as r
    );
end;
$$;
comment on function awf._event_remains(jsonb) is 'The event without free text, without anything that may be a player id and without fields that no event has.';
