-- Refuses a grouping that the report does not know.
-- Called by experiment_report().
-- Costs nothing to speak of.
create or replace function awf._check_grouping(p_by text[])
returns void
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_by is null or not p_by <@ array['variation', 'locale', 'phase'] then
        raise exception using
            errcode = 'WF001',
            message = format('a report cannot be grouped by %s', coalesce(p_by::text, 'NULL')),
            hint = 'Group by any of variation, locale, phase: {variation}, {variation,locale}, {variation,phase}, {}.';
    end if;
end;
$$;
comment on function awf._check_grouping(text[]) is 'Raises WF001 unless the list holds nothing but variation, locale and phase.';
