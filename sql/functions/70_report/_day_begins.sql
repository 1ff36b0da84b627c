-- When a day begins in a time zone.
-- Called by _sum_totals() and _count_units().
-- Costs nothing.
create or replace function awf._day_begins(p_day date, p_zone text)
returns timestamptz
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    c_midnight constant timestamptz := p_day::timestamp at time zone p_zone;
begin
    -- Where clocks go back to midnight (Havana, the Azores) it comes twice, and PostgreSQL means the second one.
    return (
        select min(c_midnight - n.hours * interval '1 hour')
        from generate_series(0, 3) as n (hours)
        where ((c_midnight - n.hours * interval '1 hour') at time zone p_zone)::date >= p_day
    );
end;
$$;
comment on function awf._day_begins(date, text) is
'The first moment of a day in a time zone; infinite for an infinite day.';
