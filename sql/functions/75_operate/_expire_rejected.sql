-- Deletes refused events that are older than they are kept.
-- Called by apply_retention().
-- Costs a scan of rejected_events.
create or replace function awf._expire_rejected(p_dry_run boolean)
returns table (events bigint, action text)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_before constant timestamptz := awf._now() - awf._setting_number('rejected_keep_days')::double precision * interval '1 day';
begin
    if v_before is null then
        return;
    end if;
    select count(*) into events from awf.rejected_events as r where r.rejected_at < v_before;
    if not p_dry_run then
        delete from awf.rejected_events as r where r.rejected_at < v_before;
        get diagnostics events = row_count;
    end if;
    if events > 0 then
        action := case when p_dry_run then 'would delete' else 'deleted' end;
        return next;
    end if;
end;
$$;
comment on function awf._expire_rejected(boolean) is 'Deletes rejected events older than rejected_keep_days, or counts them; no row when there are none.';
