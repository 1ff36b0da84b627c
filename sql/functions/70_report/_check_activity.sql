-- Refuses combinations that the totals do not have.
-- Called by activity_report().
-- Costs nothing.
create or replace function awf._check_activity(p_by text[], p_zone text)
returns void
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    c_units constant text[] := array(select distinct u.name from unnest(p_by) as u (name) where u.name in ('day', 'week', 'month') order by 1);
    c_places constant text[] := array(select distinct u.name from unnest(p_by) as u (name) where u.name in ('locale', 'world') order by 1);
    c_kinds constant text[] := array(select distinct u.name from unnest(p_by) as u (name) where u.name in ('adventure', 'model') order by 1);
begin
    perform awf._check_grouping(p_by, '{day,week,month,locale,world,adventure,model}');
    if cardinality(c_units) > 1 or cardinality(c_kinds) > 1 or (c_kinds <> '{}' and c_places <> '{}') then
        raise exception using
            errcode = 'WF001',
            message = format(
                'activity is not known by %s together',
                array_to_string(case when cardinality(c_units) > 1 then c_units else c_places || c_kinds end, ' and ')
            ),
            hint = 'Group by one of day, week, month, and by locale and world, or by adventure, or by model.';
    elsif p_zone <> 'UTC' and (c_kinds <> '{}' or 'world' = any (c_places)) then
        raise exception using
            errcode = 'WF001',
            message = format(
                'activity by %s is known for days in UTC alone, not in "%s"', array_to_string(c_kinds || c_places, ' and '), p_zone
            ),
            hint = 'Leave the zone out, or group by time and locale.';
    end if;
end;
$$;
comment on function awf._check_activity(text[], text) is 'Raises WF001 for groupings that activity_report() does not have.';
