-- Makes the staging table, whose rows say by themselves whether they are good as far as that can be told from the row.
-- Called by open_stage() where the session has none.
-- The column clear is computed while a client is still making the next rows.
create or replace function awf._make_stage()
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Functions of the server alone: the column is computed with the rights of whoever fills the table.
    create temporary table awf_stage (
        clear boolean generated always as (
            id is not null
            and octet_length(session_id) between 1 and 200
            and octet_length(player_hash) = 32
            and octet_length(world_ref) between 1 and 200
            and octet_length(adventure_ref) between 1 and 200
            and octet_length(coalesce(model, '-')) between 1 and 200
            and coalesce(least(
                turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens,
                retries, fallbacks, tool_calls, acts, choices, time_advance_ticks
            ), 0) >= 0
            and coalesce(greatest(
                turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens,
                retries, fallbacks, tool_calls, acts, choices, time_advance_ticks
            ), 0) <= 2147483647
            and (extra is null or (
                jsonb_typeof(extra) = 'object' and octet_length(extra::text) <= 8192
                and not jsonb_path_exists(extra, 'strict $.* ? (@.type() != "number" && @.type() != "boolean")', '{}', true)
            ))
            and (attributes is null or (
                jsonb_typeof(attributes) = 'object' and octet_length(attributes::text) <= 2048
                and not jsonb_path_exists(attributes, 'strict $.* ? (@.type() == "object" || @.type() == "array")', '{}', true)
            ))
        ) stored,
        ts timestamptz, id uuid, session_id text, player_hash bytea, world_ref text, adventure_ref text, locale text,
        model text, assignments integer[], failed boolean, turn_latency_us bigint, model_latency_us bigint,
        bundle_us bigint, bundle_tokens bigint, output_tokens bigint, retries bigint, fallbacks bigint, tool_calls bigint,
        acts bigint, choices bigint, time_advance_ticks bigint, extra jsonb, attributes jsonb, event jsonb, fault text
    ) on commit delete rows;
end;
$$;
comment on function awf._make_stage() is
'Creates pg_temp.awf_stage. A row whose column clear is true has nothing wrong with it, unless it be its time, its locale or its assignments.';
