-- Divides a range of days into the fewest periods that are kept: the whole run, or whole months and the days that are left.
-- Called by _sum_totals() and _quantiles().
-- Costs nothing.
create or replace function awf._report_periods(p_from date, p_to date, p_unit text)
returns table (period text, begins date, ends date)
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    c_from constant date := coalesce(p_from, '-infinity');
    c_end constant date := coalesce(p_to, 'infinity') + interval '1 day';
    c_first constant date := date_trunc('month', c_from + interval '1 month' - interval '1 day');
    c_last constant date := date_trunc('month', c_end);
begin
    if p_from is null and p_to is null and p_unit is null then
        return query values ('run', '-infinity'::date, 'infinity'::date);
    elsif p_unit in ('day', 'week') or c_first >= c_last then
        return query values ('day', c_from, c_end);
    else
        return query values ('month', c_first, c_last), ('day', c_from, c_first), ('day', c_last, c_end);
    end if;
end;
$$;
comment on function awf._report_periods(date, date, text) is
'Which periods (day, month, run) that begin from begins on and before ends make up the days from p_from to p_to; p_unit: day or week when
these must be told apart, month, or NULL.';
