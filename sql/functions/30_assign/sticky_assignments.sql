-- The assignments that sticky bucket documents hold for some units.
-- Called by turn_params(), and by anybody who keeps such documents.
-- Costs every document times every unit.
create or replace function awf.sticky_assignments(p_documents jsonb, p_units jsonb)
returns jsonb
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        -- Of two entries with one name the later one stays.
        select coalesce(jsonb_object_agg(a.key, a.value order by u.place, d.place), '{}')
        from jsonb_array_elements(awf._as_list(p_units)) with ordinality as u (unit, place)
        inner join (
            select l.value, l.ordinality as place
            from jsonb_array_elements(awf._as_list(p_documents)) with ordinality as l
            union all
            select o.value, o.ordinality
            from jsonb_each(awf._as_object(p_documents)) with ordinality as o
        ) as d on u.unit -> 0 = d.value -> 'attributeName' and u.unit -> 1 = d.value -> 'attributeValue'
        cross join lateral jsonb_each(awf._as_object(d.value -> 'assignments')) as a
        where jsonb_typeof(u.unit -> 1) = 'string' and jsonb_typeof(a.value) = 'string'
    );
end;
$$;
comment on function awf.sticky_assignments(jsonb, jsonb) is
'{"<experiment>__<bucket version>": variation, ...}: the assignments of exactly the given units, merged.
p_documents: {"attributeName", "attributeValue", "assignments": {...}} each, as GrowthBook keeps them, in a list or as the values of an
object. p_units: [[attributeName, attributeValue], ...]; where two units have the same assignment, the later one wins.
What has another form is passed over.
Example: SELECT awf.sticky_assignments(
    ''[{"attributeName": "session", "attributeValue": "s-1", "assignments": {"token-budget-test__0": "treatment"}}]'',
    ''[["session", "s-1"]]''
);';
