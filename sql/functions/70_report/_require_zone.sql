-- Refuses what is no time zone, and days of a zone that do not begin on the hour.
-- Called by the reports.
-- Costs a look at both ends of the range, or at each day.
create or replace function awf._require_zone(p_zone text, p_from date, p_to date, p_each_day boolean default false)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_odd date;
begin
    begin
        -- A sum such as +02 would be read as POSIX does, west of Greenwich.
        if p_zone !~ '^(UTC|[A-Za-z_]+/[A-Za-z_/+0-9-]+)$' or now() at time zone p_zone is null then
            raise invalid_parameter_value;
        end if;
    exception
        when invalid_parameter_value then
            raise exception using
                errcode = 'WF001',
                message = format('there is no time zone "%s"', coalesce(left(p_zone, 60), 'NULL')),
                hint = 'Give UTC or the name of a place: Europe/Berlin, America/New_York.';
    end;
    select d.day::date into v_odd
    from (
        values (p_from::timestamp), ((p_to + 1)::timestamp)
        union all
        select n.day from generate_series(p_from::timestamp, p_to::timestamp, interval '1 day') as n (day) where p_each_day
    ) as d (day)
    where extract(minute from d.day at time zone p_zone at time zone 'UTC') <> 0
    order by d.day
    limit 1;
    if found then
        raise exception using
            errcode = 'WF001',
            message = format('in "%s" the day %s does not begin on the hour of UTC', p_zone, v_odd),
            detail = 'Totals are kept by hours of UTC.',
            hint = 'Report by a zone that is whole hours away, such as UTC.';
    end if;
end;
$$;
comment on function awf._require_zone(text, date, date, boolean) is
'Raises WF001 unless p_zone is UTC or the name of a time zone in which the range, or each of its days, begins and ends on the hour.';
