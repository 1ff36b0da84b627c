-- Makes the partition of a day where it is missing, ready for writers.
-- Called by whatever stores events, before the first row.
-- A new partition takes SHARE UPDATE EXCLUSIVE on turn_events and a row of locks until the transaction ends.
create or replace function awf._ensure_partition(p_day date)
returns regclass
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
declare
    v_name constant text := 'turn_events_' || to_char(p_day, 'YYYYMMDD');
begin
    if awf._partition_of(v_name) is null then
        perform awf._check_window(p_day);
        perform from awf.locks as l where l.name = 'partitions' for update;
        if awf._partition_of(v_name) is null then
            begin
                -- Not CREATE ... PARTITION OF, which locks out every reader and writer of turn_events.
                execute format('create table awf.%I (like awf.turn_events including all)', v_name);
                execute format(
                    'alter table awf.turn_events attach partition awf.%I for values from (%L) to (%L)',
                    v_name, p_day::timestamp at time zone 'UTC', (p_day + 1)::timestamp at time zone 'UTC'
                );
                perform awf._protect_partition(format('awf.%I', v_name)::regclass);
            exception
                when duplicate_table then
                    -- Whoever had the lock before has made it, and what this session knew of the catalogue was a moment old.
                    if awf._partition_of(v_name) is null then
                        raise;
                    end if;
            end;
        end if;
    end if;
    return awf._partition_of(v_name);
end;
$$;
comment on function awf._ensure_partition(date) is
'The partition of turn_events for a day (UTC), made if need be; raises WF203 for a day outside the accepted window.';
