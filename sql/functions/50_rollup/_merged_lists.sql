-- How two rows of additive totals are one, as assignments of their columns.
-- Called by _totals_part().
-- Costs a scan of the small table metrics.
create or replace function awf._merged_lists(p_one text, p_other text)
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    c_added constant text := '{one}.{column}[1] + {other}.{column}[1], '
        || awf._each_metric('{one}.{column}[%2$s + 1] + {other}.{column}[%2$s + 1]');
    c_chosen constant text := '{choice}({one}.{column}[1], {other}.{column}[1]), '
        || awf._each_metric('{choice}({one}.{column}[%2$s + 1], {other}.{column}[%2$s + 1])');
begin
    return (
        select
            string_agg(
                format('%s = array[%s]', c.name, replace(replace(replace(replace(c.element, '{column}', c.name), '{choice}', c.choice),
                '{one}', p_one), '{other}', p_other)),
                ', ' order by c.place
            )
        from (
            values
            ('n', c_added, '', 1), ('sum', c_added, '', 2), ('sum_squares', c_added, '', 3), ('min', c_chosen, 'least', 4),
            ('max', c_chosen, 'greatest', 5)
        ) as c (name, element, choice, place)
    );
end;
$$;
comment on function awf._merged_lists(text, text) is
'Assignments for UPDATE: each list of totals becomes, metric by metric, the sum, minimum or maximum of those of the rows p_one and p_other.';
