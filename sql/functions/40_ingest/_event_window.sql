-- The accepted time of events.
-- Called wherever events come in.
-- Costs two settings.
create or replace function awf._event_window()
returns table (oldest timestamptz, newest timestamptz)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return query select
        awf._now() - awf._setting_number('ingest_max_age_days')::double precision * interval '1 day',
        awf._now() + awf._setting_number('ingest_max_future_minutes')::double precision * interval '1 minute';
end;
$$;
comment on function awf._event_window() is 'Oldest and newest accepted ts, from the settings.';
