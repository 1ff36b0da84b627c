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
as $$
declare
    v_rejected integer;
begin
    -- Most rows are good, which plain expressions see at a fifth of the cost. A row that they do not clear is judged in full.
    update pg_temp.awf_stage as s set fault = f.fault
    from (
        select
            t.ctid,
            awf._event_fault(
                t.ts, t.id, t.session_id, t.player_hash, t.world_ref, t.adventure_ref, t.locale, t.model, t.assignments,
                array[
                    t.turn_latency_us, t.model_latency_us, t.bundle_us, t.bundle_tokens, t.output_tokens, t.retries,
                    t.fallbacks, t.tool_calls, t.acts, t.choices, t.time_advance_ticks
                ],
                t.extra, w.oldest, w.newest, k.ids, t.attributes
            ) as fault
        from pg_temp.awf_stage as t
        cross join awf._event_window() as w
        cross join (select array_agg(v.id) as ids from awf.variation_ids as v) as k
        where t.fault is null and (
            t.ts between w.oldest and w.newest and t.id is not null
            and octet_length(t.session_id) between 1 and 200
            and octet_length(t.player_hash) = 32
            and octet_length(t.world_ref) between 1 and 200
            and octet_length(t.adventure_ref) between 1 and 200
            and awf._is_locale(t.locale)
            and octet_length(coalesce(t.model, '-')) between 1 and 200
            and (t.assignments is null or (array_ndims(t.assignments) = 1 and t.assignments <@ k.ids))
            and coalesce(least(
                t.turn_latency_us, t.model_latency_us, t.bundle_us, t.bundle_tokens, t.output_tokens, t.retries,
                t.fallbacks, t.tool_calls, t.acts, t.choices, t.time_advance_ticks
            ), 0) >= 0
            and coalesce(greatest(
                t.turn_latency_us, t.model_latency_us, t.bundle_us, t.bundle_tokens, t.output_tokens, t.retries,
                t.fallbacks, t.tool_calls, t.acts, t.choices, t.time_advance_ticks
            ), 0) <= 2147483647
            and t.extra is null and t.attributes is null
        ) is not true
        offset 0
    ) as f
    where s.ctid = f.ctid and f.fault is not null;
    insert into awf.rejected_events (reason, detail, player_hash, event, complete)
    select
        split_part(s.fault, ': ', 1),
        substring(s.fault from position(': ' in s.fault) + 2),
        coalesce(case when octet_length(s.player_hash) = 32 then s.player_hash end, awf._readable_player(d.event)),
        awf._event_remains(d.event),
        awf._keeps_all(d.event)
    from pg_temp.awf_stage as s
    cross join lateral (select coalesce(s.event, to_jsonb(s) - array['event', 'fault']) as event) as d
    where s.fault is not null;
    get diagnostics v_rejected = row_count;
    if v_rejected > 0 then
        delete from pg_temp.awf_stage as s where s.fault is not null;
    end if;
    return v_rejected;
end;
$$;
comment on function awf._reject_stage() is 'Moves the bad rows of the stage to rejected_events; returns how many.';
