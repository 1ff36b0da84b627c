-- Makes the rollups of one day anew from its events.
-- Called by backfill() under the rollup lock.
-- Costs a few scans of the day; leaves out batches that no refresh has claimed yet, which the next refresh adds.
create or replace function awf._recompute_day(p_day date)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if awf._partition_of(p_day) is null then
        if exists (select from awf.daily_totals as d where d.day = p_day) then
            raise exception using
                errcode = 'WF301',
                message = format('the events of %s are gone: its rollups cannot be made anew', p_day),
                detail = 'The rollups of the day stay as they are.',
                hint = 'Choose a range of days whose events are stored.';
        end if;
        return;
    end if;
    perform awf._recompute_totals(p_day);
    perform awf._recompute_units(p_day);
end;
$$;
comment on function awf._recompute_day(date) is 'Recomputes the rollups of a day from its events; raises WF301 when they are gone.';
