-- Makes the partitions of days to come, or of a range of days, before their first events.
-- Called daily by an admin, a scheduler or the CLI; two calls at once do no harm.
-- Costs some 25 ms a new partition; until the end of the transaction nobody else makes one.
create or replace function awf.ensure_partitions(p_from date default null, p_to date default null)
returns table (day date, table_name text, made boolean)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_today constant date := (awf._now() at time zone 'UTC')::date;
    v_last constant date := coalesce(p_to, v_today + awf._setting_number('partitions_ahead_days')::integer);
    v_partition regclass;
begin
    perform awf._require_safe_owner();
    perform awf._check_range(coalesce(p_from, v_today), v_last);
    perform awf._check_ahead(coalesce(p_from, v_today), v_last);
    lock table only awf.turn_events in row exclusive mode;
    for day in select d.day::date from generate_series(coalesce(p_from, v_today)::timestamp, v_last, '1 day') as d (day) loop
        v_partition := awf._partition_of(day);
        made := v_partition is null
            and not exists (select from awf.event_days as g where g.day = ensure_partitions.day and g.state in ('detached', 'dropped'));
        if made then
            v_partition := awf._add_partition(day);
        end if;
        table_name := v_partition::text;
        return next;
    end loop;
end;
$$;
comment on function awf.ensure_partitions(date, date) is
'Makes the partitions of turn_events from p_from (default: today) to p_to (default: as many days after today as the setting
partitions_ahead_days says), both included, UTC. Returns a row for each day: its table and whether it was made now; a day whose events
have left the database (event_days) has no table and gets none. Ingest makes a missing partition itself; made ahead, no batch waits
for it.
Errors: WF002 (a reversed range, or more than 100 days), WF203 (a day before the accepted window, or after both its end and the days
ahead).
Example: SELECT * FROM awf.ensure_partitions();';
