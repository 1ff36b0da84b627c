-- Gives assignments that are numbers alone the keys of their variations, by which documents are read.
-- Called by _retry_document().
-- Costs a lookup for each.
create or replace function awf._named_assignments(p_assignments jsonb)
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select coalesce(jsonb_agg(case
            when v.id is null then a.entry
            else jsonb_build_object('id', v.id, 'experiment', v.experiment_key, 'variation', v.variation_key)
        end order by a.place), '[]')
        from jsonb_array_elements(p_assignments) with ordinality as a (entry, place)
        left join awf.variation_ids as v
            on v.id::text = case
                when jsonb_typeof(a.entry) = 'number' then a.entry #>> '{}'
                when not a.entry ? 'experiment' then a.entry ->> 'id'
            end
    );
end;
$$;
comment on function awf._named_assignments(jsonb) is
'The list with {"id", "experiment", "variation"} in the place of each number of variation_ids; other entries as they are.';
