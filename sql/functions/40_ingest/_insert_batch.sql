-- The batch of this transaction's single events of a day, opened with the first of them.
-- Called by _record_event().
-- Writes one row of the ingest log for each transaction and day; takes the locks of _ensure_partition() for a new day.
create or replace function awf._insert_batch(p_day date)
returns bigint
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_batch_id bigint;
begin
    select l.batch_id into v_batch_id
    from awf.ingest_log as l
    where l.xid = pg_current_xact_id() and l.day = p_day and l.rolled_up_at is null and l.opened_at = now() and l.path = 'insert'
    limit 1;
    if v_batch_id is null then
        perform awf._ensure_partition(p_day);
        insert into awf.ingest_log (day, path, role_name) values (p_day, 'insert', awf._caller()) returning batch_id into v_batch_id;
    end if;
    return v_batch_id;
end;
$$;
comment on function awf._insert_batch(date) is 'Number of the batch for single events of this transaction and day (UTC).';
