-- The moment of an event document: as given, or now.
-- Called by _parse_event().
-- Costs nothing to speak of.
create or replace function awf._event_ts(p_event jsonb)
returns timestamptz
language plpgsql
stable
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return case when p_event ->> 'ts' is null then awf._now() else awf._to_timestamp(p_event ->> 'ts') end;
end;
$$;
comment on function awf._event_ts(jsonb) is 'ts of an event document; now where it has none, NULL where it cannot be read.';
