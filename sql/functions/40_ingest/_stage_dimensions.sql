-- The days of the good staged rows, and the dictionary numbers of their texts, made where they are missing.
-- Called by ingest_batch().
-- Costs a scan of the stage and a lookup for each text.
create or replace function awf._stage_dimensions(out days date[], out numbers jsonb)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_adventures text[];
    v_locales text[];
    v_models text[];
    v_worlds text[];
begin
    -- The same few combinations come again and again.
    select
        coalesce(array_agg(distinct c.day), '{}'), array_agg(distinct c.adventure_ref), array_agg(distinct c.locale),
        array_agg(distinct c.model) filter (where c.model is not null), array_agg(distinct c.world_ref)
    into days, v_adventures, v_locales, v_models, v_worlds
    from (
        select distinct s.adventure_ref, s.locale, s.model, s.world_ref, (s.ts at time zone 'UTC')::date as day
        from pg_temp.awf_stage as s
    ) as c;
    numbers := jsonb_build_object(
        'adventure', awf._dimension_numbers('adventure', v_adventures),
        'locale', awf._dimension_numbers('locale', v_locales),
        'model', awf._dimension_numbers('model', v_models),
        'world', awf._dimension_numbers('world', v_worlds)
    );
end;
$$;
comment on function awf._stage_dimensions() is
'Days (UTC) of the staged events, in order, and {"world": {"w1": 17, ...}, "adventure": ..., "locale": ..., "model": ...}.';
