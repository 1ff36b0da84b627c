-- The events of one day that a condition selects, as the first part of a statement whose other parts read them.
-- Called by whatever adds events to the rollups.
-- Costs nothing; the part costs one scan of the selected events, which are kept until the statement ends.
create or replace function awf._events_part(p_day date, p_condition text)
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
    v_columns constant text :=
        'e.ts, e.id, e.world_id, e.adventure_id, e.locale_id, e.model_id, e.failed, ' || awf._each_metric('e.%1$s')
        || ', e.assignments, e.session_id, e.player_hash, e.attributes';
begin
    -- Literal bounds, so that the planner looks into one partition alone. Statistics know nothing of the newest batches, and a plan
    -- for one row is ruinous for a hundred thousand: the second half brings no row, and lets the planner expect many.
    return format(
        'e as materialized (select %1$s from awf.turn_events as e where %2$s and (%3$s) union all '
        '(select %1$s from generate_series(1, 500000) as n left join awf.turn_events as e on false limit (select 0)))',
        v_columns,
        case
            when p_day is null then 'true'
            else format('e.ts >= %L and e.ts < %L', p_day::timestamp at time zone 'UTC', (p_day + 1)::timestamp at time zone 'UTC')
        end,
        p_condition
    );
end;
$$;
comment on function awf._events_part(date, text) is
'Common table expression e: the events of a day (UTC), of all days for NULL, that the SQL condition on alias e selects.';
