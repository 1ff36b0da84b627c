-- The fields of a document of changes whose values differ from those that the experiment has.
-- Called by update_experiment().
-- Costs what get_experiment() costs.
create or replace function awf._changed_fields(p_key text, p_changes jsonb)
returns jsonb
language plpgsql
stable
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_present constant jsonb := awf._experiment_document(p_key);
begin
    -- A document from get_experiment() also says what nobody sets. Its coverage is that of its moment where a plan moves it.
    -- Times are compared as times: "2025-02-01" and "2025-02-01T00:00:00+00:00" are one.
    return (
        select coalesce(jsonb_object_agg(c.key, c.value), '{}')
        from jsonb_each(p_changes) as c
        where not (p_changes ? 'createdAt' and c.key in ('state', 'phase', 'phases', 'overrides', 'revision', 'updatedAt'))
            and (c.key = 'coverage' and p_changes -> 'ramp' = v_present -> 'ramp' and v_present #>> '{ramp,0,at}' is not null)
            is not true
            and not coalesce(
            c.value = v_present -> c.key or case
                when c.key like '%At' and jsonb_typeof(c.value) = 'string'
                    then awf._to_timestamp(c.value #>> '{}') = awf._to_timestamp(v_present ->> c.key)
            end,
            false
        )
    );
end;
$$;
comment on function awf._changed_fields(text, jsonb) is
'The changes without those that change nothing, so that a document from get_experiment() can be given back.';
