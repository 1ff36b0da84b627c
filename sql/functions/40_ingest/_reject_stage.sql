-- Marks the bad rows of the stage and keeps them as rejected events.
-- Called by ingest_batch().
-- Costs one check a row.
create or replace function awf._reject_stage()
returns integer
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set bytea_output = 'hex'
as $$
declare
    v_oldest timestamptz;
    v_newest timestamptz;
    v_ids integer[];
    v_rejected integer;
begin
    select w.oldest, w.newest into v_oldest, v_newest from awf._event_window() as w;
    v_ids := array(select v.id from awf.variation_ids as v);
    -- Most rows are good, which the stage has seen already. A row that it did not clear is judged in full.
    update pg_temp.awf_stage as s set fault = awf._event_fault(
        s.ts, s.id, s.session_id, s.player_hash, s.world_ref, s.adventure_ref, s.locale, s.model, s.assignments,
        array[
            s.turn_latency_us, s.model_latency_us, s.bundle_us, s.bundle_tokens, s.output_tokens, s.retries,
            s.fallbacks, s.tool_calls, s.acts, s.choices, s.time_advance_ticks
        ],
        s.extra, v_oldest, v_newest, v_ids, s.attributes
    )
    where s.fault is null and (
        s.clear and s.ts between v_oldest and v_newest
        and s.locale in (select d.value from awf.dimensions as d where d.kind = 'locale')
        and (s.assignments is null or (array_ndims(s.assignments) = 1 and s.assignments <@ v_ids))
    ) is not true;
    perform awf._reject_gone_days();
    insert into awf.rejected_events (reason, detail, player_hash, event, complete)
    select
        split_part(s.fault, ': ', 1),
        substring(s.fault from position(': ' in s.fault) + 2),
        coalesce(case when octet_length(s.player_hash) = 32 then s.player_hash end, awf._readable_player(d.event)),
        awf._event_remains(d.event),
        awf._keeps_all(d.event)
    from pg_temp.awf_stage as s
    cross join lateral (select coalesce(s.event, to_jsonb(s) - array['clear', 'event', 'fault']) as event) as d
    where s.fault is not null;
    get diagnostics v_rejected = row_count;
    if v_rejected > 0 then
        delete from pg_temp.awf_stage as s where s.fault is not null;
    end if;
    return v_rejected;
end;
$$;
comment on function awf._reject_stage() is 'Moves the bad rows of the stage to rejected_events; returns how many.';
