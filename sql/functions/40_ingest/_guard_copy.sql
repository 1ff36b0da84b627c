-- Trigger: refuses rows in a partition unless the very transaction has opened a batch for that day.
-- Called before and after (it may open batches) each statement that inserts into a partition by name, not through turn_events.
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
    v_batch_id bigint;
    v_day date;
    v_path text;
begin
    perform awf._require_safe_owner();
    select l.batch_id, l.day, l.path into v_batch_id, v_day, v_path
    from awf.ingest_log as l
    where l.xid = pg_current_xact_id() and l.rolled_up_at is null and l.opened_at = now()
    order by l.batch_id desc
    limit 1;
    -- batch_id defaults to the last number this session drew: after a single event, or a batch that was rolled back to a
    -- savepoint, that is another one, and the rows would belong to nobody.
    if v_batch_id is null or v_path <> 'direct' or v_batch_id <> currval('awf.ingest_log_batch_id_seq')
        or tg_table_name <> 'turn_events_' || to_char(v_day, 'YYYYMMDD') then
        raise exception using
            errcode = 'WF202',
            message = format('this transaction has no open batch for "%s"', tg_table_name),
            hint = 'Call awf.open_batch(day, rows) and COPY into the table it names, in the same transaction, a day at a time.';
    end if;
    return null;
end;
$$;
comment on function awf._guard_copy() is 'Trigger function: raises WF202 unless this transaction''s newest batch is for the partition''s day, before and after the rows.';
