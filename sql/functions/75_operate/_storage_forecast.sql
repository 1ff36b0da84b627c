-- How events grow, and what all of awf will take in some days.
-- Called by storage_report() with the rows of _storage_tables(), each as JSON.
-- Costs nothing to speak of.
create or replace function awf._storage_forecast(p_sizes jsonb, p_days_ahead integer)
returns table (kind text, name text, day date, rows bigint, total_bytes bigint, detail text)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_today constant date := (awf._now() at time zone 'UTC')::date;
    v_end constant date := v_today + p_days_ahead;
    v_keep constant integer := ceil(awf._setting_number('events_keep_days'));
    v_sizes record;
    v_growth record;
begin
    -- The last week before today, or as much of it as there were events: a game that rests does not grow.
    select
        case when min(d.day) is not null then greatest(min(d.day), v_today - 7) end as first_day,
        count(*) filter (where d.day >= v_today - 7) as days,
        coalesce(sum(d.events) filter (where d.day >= v_today - 7), 0) as events,
        coalesce(sum(d.bytes) filter (where d.day >= v_today - 7), 0) as bytes
    into v_growth
    from (
        select (s ->> 'day')::date as day, (s ->> 'rows')::bigint as events, (s ->> 'total_bytes')::bigint as bytes
        from jsonb_array_elements(p_sizes) as s
        where s ->> 'kind' = 'partition' and (s ->> 'day')::date < v_today and (s ->> 'rows')::bigint > 0
    ) as d;
    if v_growth.first_day is null then
        return query
        select k.kind, k.name, null::date, null::bigint, null::bigint, 'no full day with events yet'
        from (values ('growth', 'a day'), ('forecast', 'awf')) as k (kind, name);
        return;
    end if;
    kind := 'growth';
    name := 'a day';
    rows := v_growth.events / (v_today - v_growth.first_day);
    total_bytes := v_growth.bytes / (v_today - v_growth.first_day);
    detail := format('days with events: %s, since %s', v_growth.days, v_growth.first_day);
    return next;
    select
        coalesce(sum((s ->> 'total_bytes')::bigint) filter (where s ->> 'kind' = 'total'), 0) as now,
        -- What retention will have dropped by then; NULL in a comparison keeps all.
        coalesce(sum((s ->> 'total_bytes')::bigint) filter (where s ->> 'kind' = 'partition' and (s ->> 'day')::date < v_end - v_keep), 0)
            as expired
    into v_sizes
    from jsonb_array_elements(p_sizes) as s;
    kind := 'forecast';
    name := 'awf';
    day := v_end;
    rows := null;
    total_bytes := v_sizes.now - v_sizes.expired + total_bytes * least(p_days_ahead, coalesce(v_keep, p_days_ahead));
    detail := case
        when v_keep is null then 'at this growth, events kept for good'
        else format('at this growth, events kept for %s days', v_keep)
    end;
    return next;
end;
$$;
comment on function awf._storage_forecast(jsonb, integer) is
'Rows "growth" (events and bytes a day) and "forecast" (bytes of all of awf after p_days_ahead days, with what retention drops until then).';
