-- Stores the good staged rows of one day.
-- Called by ingest_batch() for each day.
-- Writes one row of the ingest log; takes the locks of _ensure_partition() for a new day.
create or replace function awf._ingest_stage_day(p_day date, p_numbers jsonb, p_rejected integer, p_bytes bigint)
returns table (stored integer, left_out integer)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_from constant timestamptz := p_day::timestamp at time zone 'UTC';
    v_to constant timestamptz := (p_day + 1)::timestamp at time zone 'UTC';
    v_worlds constant jsonb := p_numbers -> 'world';
    v_adventures constant jsonb := p_numbers -> 'adventure';
    v_locales constant jsonb := p_numbers -> 'locale';
    v_models constant jsonb := p_numbers -> 'model';
    v_batch_id bigint;
    v_rows integer;
    v_stored integer;
begin
    perform awf._ensure_partition(p_day);
    insert into awf.ingest_log (day, path, role_name) values (p_day, 'careful', awf._caller()) returning batch_id into v_batch_id;
    select count(*) into v_rows from pg_temp.awf_stage as s where s.ts >= v_from and s.ts < v_to;
    loop
        -- ON CONFLICT would cost each row half as much again, and few batches have a row that is stored already.
        begin
            insert into awf.turn_events (
                ts, id, batch_id, session_id, player_hash, world_id, adventure_id, locale_id, model_id, assignments, failed,
                turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens, retries,
                fallbacks, tool_calls, acts, choices, time_advance_ticks, extra, attributes
            )
            select
                s.ts, s.id, v_batch_id, s.session_id, s.player_hash, (v_worlds -> s.world_ref)::integer,
                (v_adventures -> s.adventure_ref)::integer, (v_locales -> s.locale)::integer, (v_models -> s.model)::integer,
                nullif(s.assignments, '{}'), coalesce(s.failed, false),
                s.turn_latency_us, s.model_latency_us, s.bundle_us, s.bundle_tokens, s.output_tokens, s.retries,
                s.fallbacks, s.tool_calls, s.acts, s.choices, s.time_advance_ticks, nullif(s.extra, '{}'), nullif(s.attributes, '{}')
            from pg_temp.awf_stage as s
            where s.ts >= v_from and s.ts < v_to;
            get diagnostics v_stored = row_count;
            exit;
        exception
            when unique_violation then
                perform awf._unstage_stored(v_from, v_to);
        end;
    end loop;
    -- The log row is this transaction's own and still invisible to others, so this update never waits.
    update awf.ingest_log as l set rows = v_stored, duplicates = v_rows - v_stored, rejected = p_rejected, bytes = p_bytes, duration_ms = awf._elapsed_ms()
    where l.batch_id = v_batch_id;
    return query select v_stored, v_rows - v_stored;
end;
$$;
comment on function awf._ingest_stage_day(date, jsonb, integer, bigint) is
'Stores the good staged rows of a day (UTC), whose texts have the numbers given: how many were stored, how many were there already. The others are for the log.';
