-- Opens a batch of a day: the direct path of ingest.
-- Called by writers, in the transaction of their COPY.
-- Writes one row of the ingest log; the first batch of a day makes its partition.
create or replace function awf.open_batch(p_day date, p_rows integer)
returns table (batch_id bigint, table_name text)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_partition regclass;
    v_batch_id bigint;
begin
    perform awf._require_safe_owner();
    if p_rows is null or p_rows < 0 then
        raise exception using
            errcode = 'WF001',
            message = format('a batch cannot have %s rows', coalesce(p_rows::text, 'NULL')),
            hint = 'Give the number of rows that the COPY will bring.';
    end if;
    -- Today never lies outside.
    if p_day is distinct from (awf._now() at time zone 'UTC')::date then
        perform awf._check_window(p_day);
    end if;
    v_partition := awf._ensure_partition(p_day);
    insert into awf.ingest_log (day, path, rows, role_name)
    values (p_day, 'direct', p_rows, awf._caller())
    returning ingest_log.batch_id into v_batch_id;
    -- As text it is schema-qualified and quoted: nothing of awf is on this function's search_path.
    return query select v_batch_id, v_partition::text;
end;
$$;
comment on function awf.open_batch(date, integer) is
'Opens a batch of a day (UTC) for this transaction and names the table to COPY it into. Then, before the commit:
COPY <table_name> (ts, id, session_id, player_hash, world_id, adventure_id, locale_id, model_id, assignments, failed,
turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens, retries, fallbacks, tool_calls, acts, choices,
time_advance_ticks, extra, attributes) FROM STDIN. Numbers of worlds, adventures, locales, models and variations come from dimension_ids().
close_batch() may follow, for the log. If the COPY fails on a row (SQLSTATE class 22 or 23), roll back and send the batch through open_stage() and ingest_batch().
Errors: WF203 (a day outside the accepted window), WF301 (its events have left the database), WF001 (rows).
Example: SELECT batch_id, table_name FROM awf.open_batch(''2025-01-15'', 500);';
