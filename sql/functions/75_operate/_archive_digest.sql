-- Counts the events of a table and makes one number of all that they hold, whatever their order.
-- Called by close_archive() and close_restore().
-- Scans the table, about 5 us an event.
create or replace function awf._archive_digest(p_table regclass)
returns table (rows bigint, digest numeric)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Made of a table's name alone.
    -- @plpgsql_check_options: security_warnings = off, extra_warnings = off
    -- Texts are told apart by a character that JSON never has as it stands; ids and hashes have a length of their own.
    -- The client makes the same number of the file (parquet.digest_of), so neither has to trust the way between.
    return query execute format(
        $sql$
        select
            count(*),
            coalesce(sum(('x' || encode(substr(sha256(
                convert_to(concat_ws(
                    E'\x1f',
                    (extract(epoch from e.ts) * 1000000)::bigint, (extract(epoch from e.created_at) * 1000000)::bigint, e.batch_id,
                    e.world_id, e.adventure_id, e.locale_id, coalesce(e.model_id::text, '~'),
                    coalesce(e.turn_latency_us::text, '~'), coalesce(e.model_latency_us::text, '~'), coalesce(e.bundle_us::text, '~'),
                    coalesce(e.bundle_tokens::text, '~'), coalesce(e.output_tokens::text, '~'), coalesce(e.retries::text, '~'),
                    coalesce(e.fallbacks::text, '~'), coalesce(e.tool_calls::text, '~'), coalesce(e.acts::text, '~'),
                    coalesce(e.choices::text, '~'), coalesce(e.time_advance_ticks::text, '~'), e.failed::text,
                    coalesce(array_to_string(e.assignments, ','), '~'), e.session_id,
                    coalesce(e.extra::text, '~'), coalesce(e.attributes::text, '~')
                ), 'UTF8') || uuid_send(e.id) || e.player_hash
            ), 1, 8), 'hex'))::bit(64)::bigint), 0)
        from %s as e
        $sql$,
        p_table
    );
end;
$$;
comment on function awf._archive_digest(regclass) is
'Rows of a table made like turn_events, and the sum of the first 8 bytes of each row''s SHA-256 (format 1).';
