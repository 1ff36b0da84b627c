-- Notes in the log what the batch of this transaction cost.
-- Called by writers after their COPY, in the same transaction; nothing depends on it.
-- Writes one row of the ingest log, which is this transaction's own.
create or replace function awf.close_batch(p_bytes bigint)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    update awf.ingest_log as l
    set bytes = p_bytes, duration_ms = awf._elapsed_ms()
    where l.xid = pg_current_xact_id() and l.rolled_up_at is null and l.opened_at = now() and l.path = 'direct'
        and l.batch_id = currval('awf.ingest_log_batch_id_seq');
    if not found then
        raise exception using
            errcode = 'WF202',
            message = 'this transaction has no open batch',
            hint = 'Call awf.open_batch(day, rows) and COPY into the table it names first, in the same transaction.';
    end if;
end;
$$;
comment on function awf.close_batch(bigint) is
'Notes the bytes of the COPY and the time that the batch took in ingest_log, for this transaction''s newest open_batch().
Errors: WF202 (no open batch).
Example: SELECT awf.close_batch(104857);';
