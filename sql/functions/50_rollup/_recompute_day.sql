-- Makes the daily totals of one day anew from its events.
-- Called by backfill() under the rollup lock.
-- Costs one scan of the day; leaves out batches that no refresh has claimed yet, which the next refresh adds.
create or replace function awf._recompute_day(p_day date)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_condition constant text :=
        'not exists (select from awf.ingest_log as l where l.batch_id = e.batch_id and l.rolled_up_at is null)';
begin
    if awf._partition_of('turn_events_' || to_char(p_day, 'YYYYMMDD')) is null then
        if exists (select from awf.daily_totals as d where d.day = p_day) then
            raise exception using
                errcode = 'WF301',
                message = format('the events of %s are gone: its rollups cannot be made anew', p_day),
                detail = 'The rollups of the day stay as they are.',
                hint = 'Choose a range of days whose events are stored.';
        end if;
        return;
    end if;
    delete from awf.daily_totals as d where d.day = p_day;
    perform awf._add_totals(p_day, v_condition);
    perform awf._add_exposures(p_day, v_condition);
end;
$$;
comment on function awf._recompute_day(date) is 'Recomputes daily_totals of a day and merges its exposures; raises WF301 when its events are gone.';
