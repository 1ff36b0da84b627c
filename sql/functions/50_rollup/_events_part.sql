-- The events of some days that a condition selects, as the first part of a statement whose other parts read them.
-- Called by whatever adds events to the rollups.
-- Costs nothing. What reads e scans the events for itself, with the columns that it needs: keeping them costs more.
create or replace function awf._events_part(p_first_day date, p_last_day date, p_condition text)
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
declare
    v_columns constant text := 'e.ts, e.id, e.world_id, e.adventure_id, e.locale_id, e.model_id, e.failed, ' || awf._each_metric('e.%1$s')
        || ', e.assignments, e.session_id, e.player_hash, e.attributes';
    v_events text;
begin
    if p_first_day is null then
        v_events := format(
            'select %s, date_bin(''1 day'', e.ts, ''2000-01-01 00:00:00+00'') as day_at from awf.turn_events as e where %s', v_columns, p_condition
        );
    else
        -- From the partitions, and not from turn_events with bounds for ts: those would be looked up in the index of ts, which has all to find.
        select
            string_agg(
                format(
                    'select %s, %L::timestamptz as day_at from %s as e where %s',
                    v_columns, d.day at time zone 'UTC', awf._partition_of(d.day::date), p_condition
                ),
                ' union all ' order by d.day
            )
        into v_events
        from generate_series(p_first_day::timestamp, p_last_day, '1 day') as d (day)
        where awf._partition_of(d.day::date) is not null;
    end if;
    return format(
        'e as not materialized (%s)',
        coalesce(v_events, format('select %s, e.ts as day_at from awf.turn_events as e where false', v_columns))
    );
end;
$$;
comment on function awf._events_part(date, date, text) is
'Common table expression e: the events from p_first_day to p_last_day (UTC; NULL: of all days) that the SQL condition on alias e selects,
and day_at, when the day of each began.';
