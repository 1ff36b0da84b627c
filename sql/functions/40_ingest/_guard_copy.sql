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
begin
    perform awf._require_safe_owner();
    -- batch_id defaults to the last number this session drew: after a single event, or a batch that was rolled back to a
    -- savepoint, that is another one, and the rows would belong to nobody. Asked of this transaction's rows alone: a session
    -- that has drawn none has no last number.
    perform from awf.ingest_log as l
    where l.xid = pg_current_xact_id() and l.rolled_up_at is null and l.opened_at = now() and l.path = 'direct'
        and l.batch_id = currval('awf.ingest_log_batch_id_seq') and tg_table_name = awf._partition_name(l.day);
    if not found then
        raise exception using
            errcode = 'WF202',
            message = format('this transaction has no open batch for "%s"', tg_table_name),
            hint = 'Call awf.open_batch(day, rows) and COPY into the table it names, in the same transaction, a day at a time.';
    end if;
    return null;
end;
$$;
comment on function awf._guard_copy() is 'Trigger function: raises WF202 unless this transaction''s newest batch is for the partition''s day, before and after the rows.';
