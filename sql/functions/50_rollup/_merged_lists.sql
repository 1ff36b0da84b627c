-- How a row d of additive totals takes another one in, as assignments of its columns.
-- Called by _totals_part().
-- Costs a scan of the small table metrics.
create or replace function awf._merged_lists()
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select
            string_agg(
                format('%s = array[%s, %s]', c.name, replace(c.element, '{i}', '1'), awf._each_metric(replace(c.element, '{i}', '%2$s + 1'))), ', '
            )
        from (
            values
            ('n', 'd.n[{i}] + excluded.n[{i}]'), ('sum', 'd.sum[{i}] + excluded.sum[{i}]'),
            ('sum_squares', 'd.sum_squares[{i}] + excluded.sum_squares[{i}]'),
            ('min', 'least(d.min[{i}], excluded.min[{i}])'), ('max', 'greatest(d.max[{i}], excluded.max[{i}])')
        ) as c (name, element)
    );
end;
$$;
comment on function awf._merged_lists() is
'Assignments for ON CONFLICT DO UPDATE of a table of totals as d: each list becomes, metric by metric, the sum, minimum or maximum of both.';
