-- A piece of SQL for each of the standard metrics that have a column.
-- Called by whatever reads the events' columns, so that a metric is listed in one place, the table metrics.
-- Costs a scan of that small table.
create or replace function awf._each_metric(p_template text, p_separator text default ', ')
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select string_agg(format(p_template, quote_ident(m.column_name), m.id), p_separator order by m.id)
        from awf.metrics as m
        where m.id > 0
    );
end;
$$;
comment on function awf._each_metric(text, text) is
'The template (for format(): %1$s the column, %2$s the number) filled in for each metric but failed, joined by the separator.';
