-- Trigger: keeps exposure_days in line with exposures.
-- Called once for each statement that changes exposures.
-- Costs a walk over the changed rows.
create or replace function awf._count_exposures()
returns trigger
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op in ('INSERT', 'UPDATE') then
        insert into awf.exposure_days as d (variation_id, day, locale_id, units)
        select x.variation_id, (x.first_ts at time zone 'UTC')::date, x.locale_id, count(*)
        from added as x
        group by x.variation_id, (x.first_ts at time zone 'UTC')::date, x.locale_id
        on conflict (variation_id, day, locale_id) do update set units = d.units + excluded.units;
    end if;
    if tg_op in ('UPDATE', 'DELETE') then
        update awf.exposure_days as d set units = d.units - g.units
        from (
            select x.variation_id, (x.first_ts at time zone 'UTC')::date as day, x.locale_id, count(*) as units
            from gone as x
            group by x.variation_id, (x.first_ts at time zone 'UTC')::date, x.locale_id
        ) as g
        where d.variation_id = g.variation_id and d.day = g.day and d.locale_id = g.locale_id;
        delete from awf.exposure_days as d where d.units = 0;
    end if;
    return null;
end;
$$;
comment on function awf._count_exposures() is 'Trigger function: adds and subtracts the changed exposures in exposure_days.';
