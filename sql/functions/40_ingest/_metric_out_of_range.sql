-- Names the first metric that does not fit its column.
-- Called by _event_fault() where there is one.
-- Costs a walk over the metrics.
create or replace function awf._metric_out_of_range(p_metrics bigint[])
returns text
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select format('bad_metric: %s is %s; it must lie between 0 and 2147483647', n.name, m.value)
        from unnest(p_metrics) with ordinality as m (value, place)
        inner join unnest(awf._metric_columns()) with ordinality as n (name, place) on m.place = n.place
        where m.value not between 0 and 2147483647
        order by m.place
        limit 1
    );
end;
$$;
comment on function awf._metric_out_of_range(bigint[]) is
'"bad_metric: which and what" for the first metric outside 0 to 2147483647; metrics in the order of _metric_columns().';
