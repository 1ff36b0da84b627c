-- A refused row of the stage as an event document.
-- Called by _retry_document().
-- Costs a walk over the row.
create or replace function awf._stage_document(p_row jsonb)
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_metrics jsonb;
begin
    select coalesce(jsonb_object_agg(
        m.name, case
            -- What is no number of the column's type stays as it is, to be refused for that.
            when m.scale > 1 and jsonb_typeof(x.value) = 'number' and abs((x.value #>> '{}')::numeric) <= 9223372036854775807
                then to_jsonb(trim_scale((x.value #>> '{}')::numeric / m.scale))
            else x.value
        end
    ), '{}')
    into v_metrics
    from jsonb_each(p_row) as x
    inner join awf.metrics as m on x.key = m.column_name;
    -- A row without a locale was refused for it; a document without one would be taken for en-US.
    return '{"locale": ""}'::jsonb
        || (p_row - (awf._metric_columns() || array['failed', 'extra']))
        || jsonb_build_object('metrics', v_metrics || coalesce(p_row -> 'extra', '{}'));
end;
$$;
comment on function awf._stage_document(jsonb) is 'The row as a document: metrics under their public names and in their public units.';
