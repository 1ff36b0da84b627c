-- Trigger: refuses rows in a partition unless the very transaction has opened a batch for that day.
-- Called once for each statement that inserts into a partition by name; inserts through turn_events do not fire it.
-- Costs one index lookup.
create or replace function awf._guard_copy()
returns trigger
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_day date;
begin
    perform awf._require_safe_owner();
    -- The newest batch counts: batch_id defaults to the last number this session drew.
    select l.day into v_day
    from awf.ingest_log as l
    where l.xid = pg_current_xact_id() and l.rolled_up_at is null and l.opened_at = now() and l.path = 'direct'
    order by l.batch_id desc
    limit 1;
    if v_day is null or tg_table_name <> 'turn_events_' || to_char(v_day, 'YYYYMMDD') then
        raise exception using
            errcode = 'WF202',
            message = format('this transaction has no open batch for "%s"', tg_table_name),
            hint = 'Call awf.open_batch(day, rows) and COPY into the table it names, in the same transaction, a day at a time.';
    end if;
    return null;
end;
$$;
comment on function awf._guard_copy() is 'Trigger function: raises WF202 unless this transaction''s newest batch is for the partition''s day.';
