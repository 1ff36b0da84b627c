-- Takes batches out of the ingest log that were rolled up long ago.
-- Called by refresh_rollups().
-- Looks at p_rows of the oldest rows and no further, so that a refresh never stalls on a long log.
create or replace function awf._purge_log(p_rows integer)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- A batch that waits has no rolled_up_at and stays.
    delete from awf.ingest_log as l
    where l.batch_id in (select o.batch_id from awf.ingest_log as o order by o.batch_id limit p_rows)
        and l.rolled_up_at < awf._now() - awf._setting_number('ingest_log_keep_days')::double precision * interval '1 day';
end;
$$;
comment on function awf._purge_log(integer) is
'Removes those of the p_rows oldest rows of ingest_log that were rolled up more than ingest_log_keep_days ago.';
