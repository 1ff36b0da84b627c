-- The events of some days that a condition selects, as the first part of a statement whose other parts read them.
-- Called by whatever adds events to the rollups.
-- Costs nothing. Each part that reads e scans the events for itself, with the columns that it needs: keeping them costs more.
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
    v_first constant timestamptz := p_first_day::timestamp at time zone 'UTC';
begin
    -- Literal bounds, so that the planner looks into these partitions alone.
    return format(
        'e as not materialized (select %s, %s as day_at from awf.turn_events as e where %s and (%s))',
        'e.ts, e.id, e.world_id, e.adventure_id, e.locale_id, e.model_id, e.failed, ' || awf._each_metric('e.%1$s')
        || ', e.assignments, e.session_id, e.player_hash, e.attributes',
        case
            when p_first_day = p_last_day then format('%L::timestamptz', v_first)
            else 'date_bin(''1 day'', e.ts, ''2000-01-01 00:00:00+00'')'
        end,
        case
            when p_first_day is null then 'true'
            else format('e.ts >= %L and e.ts < %L', v_first, (p_last_day + 1)::timestamp at time zone 'UTC')
        end,
        p_condition
    );
end;
$$;
comment on function awf._events_part(date, date, text) is
'Common table expression e: the events from p_first_day to p_last_day (UTC; NULL: of all days) that the SQL condition on alias e selects,
and day_at, when the day of each began.';
