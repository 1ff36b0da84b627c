-- The accepted time of events.
-- Called wherever events come in.
-- Costs one look at the settings.
create or replace function awf._event_window()
returns table (oldest timestamptz, newest timestamptz)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        awf._now() - max(s.number) filter (where s.name = 'ingest_max_age_days') * interval '1 day',
        awf._now() + max(s.number) filter (where s.name = 'ingest_max_future_minutes') * interval '1 minute'
    from (
        select x.name, (x.value #>> '{}')::double precision as number
        from awf.settings as x
        where x.name in ('ingest_max_age_days', 'ingest_max_future_minutes')
    ) as s;
end;
$$;
comment on function awf._event_window() is 'Oldest and newest accepted ts, from the settings.';
