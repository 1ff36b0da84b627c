-- Says which metric of an event document cannot be stored.
-- Called by _document_fault() where one is bad, and _event_fault().
-- Costs a walk over the metrics.
create or replace function awf._metrics_fault(p_metrics jsonb)
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select case
            when m.id = 0 and jsonb_typeof(x.value) <> 'boolean' then format('bad_metric: failed is of type %s, not true or false', jsonb_typeof(x.value))
            when m.id > 0 and jsonb_typeof(x.value) <> 'number'
                then format('bad_metric: %s is of type %s, not a number', x.key, jsonb_typeof(x.value))
            -- Compared before it is multiplied: a numeric may be too large for that.
            when m.id > 0 and case when v.number between 0 and 2147483647 then v.number * m.scale > 2147483647 else true end
                then format('bad_metric: %s is %s; it must lie between 0 and %s', x.key, left(x.value::text, 40), trim_scale(trunc(2147483647.0 / m.scale, 3)))
            when m.id > 0 and m.scale = 1 and v.number % 1 <> 0
                then format('bad_metric: %s is %s, not a whole number', x.key, left(x.value::text, 40))
            when m.id is null and jsonb_typeof(x.value) not in ('number', 'boolean')
                then format('bad_extra: metric "%s" is of type %s, not a number or boolean', left(x.key, 60), jsonb_typeof(x.value))
        end as fault
        from jsonb_each(p_metrics) as x
        left join awf.metrics as m on x.key = m.name
        cross join lateral (select case when jsonb_typeof(x.value) = 'number' then (x.value #>> '{}')::numeric end) as v (number)
        where x.key <> 'model'
        order by fault nulls last
        limit 1
    );
end;
$$;
comment on function awf._metrics_fault(jsonb) is '"reason: what is wrong" with a metrics document; NULL when all of it can be stored.';
