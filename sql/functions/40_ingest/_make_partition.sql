-- Makes the partition of a day, ready for writers.
-- Called by _add_partition() under the lock "partitions".
-- Takes SHARE UPDATE EXCLUSIVE on turn_events until the transaction ends.
create or replace function awf._make_partition(p_day date)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
declare
    v_name constant text := awf._partition_name(p_day);
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
        if awf._partition_of(p_day) is null then
            raise;
        end if;
end;
$$;
comment on function awf._make_partition(date) is
'Creates and attaches the partition of turn_events for a day (UTC), with its guard and the writers'' rights.';
