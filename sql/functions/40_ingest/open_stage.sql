-- Makes the staging table of this session: the careful path of ingest.
-- Called by writers, in the transaction of their COPY.
-- The table is made once a session and empties itself at every commit, which keeps the catalogue small.
create or replace function awf.open_stage()
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_columns constant text :=
        'ts, id, session_id, player_hash, world_ref, adventure_ref, locale, model, assignments, failed, '
        || 'turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens, retries, fallbacks, tool_calls, acts, '
        || 'choices, time_advance_ticks, extra, attributes';
begin
    perform awf._require_safe_owner();
    if awf._stage_exists() and not exists (
        select from pg_catalog.pg_attribute as a where a.attrelid = to_regclass('pg_temp.awf_stage') and a.attname = 'clear'
    ) then
        -- Made before an upgrade.
        drop table pg_temp.awf_stage;
    end if;
    if not awf._stage_exists() then
        perform awf._make_stage();
    end if;
    if not has_column_privilege(awf._caller(), 'pg_temp.awf_stage', 'ts', 'insert') then
        execute format('grant insert (%s) on pg_temp.awf_stage to %I', v_columns, awf._caller());
    end if;
end;
$$;
comment on function awf.open_stage() is
'Makes the temporary table pg_temp.awf_stage, which the caller may fill and nobody but ingest_batch() may read. Then, before the
commit: COPY pg_temp.awf_stage (ts, id, session_id, player_hash, world_ref, adventure_ref, locale, model, assignments, failed,
turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens, retries, fallbacks, tool_calls, acts, choices,
time_advance_ticks, extra, attributes) FROM STDIN; SELECT * FROM awf.ingest_batch();
Errors: WF204 (a relation of that name that the caller made).';
