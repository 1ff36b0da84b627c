-- Refuses a range of days that is reversed, infinite or, where it must be given, not given.
-- Called by everything that takes a range of days.
-- Costs nothing to speak of.
create or replace function awf._check_range(p_from date, p_to date, p_required boolean default false)
returns void
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_required and (p_from is null or p_to is null) or not isfinite(p_from) or not isfinite(p_to) then
        raise exception using
            errcode = 'WF002',
            message = format('%s to %s is no range of days', coalesce(p_from::text, 'NULL'), coalesce(p_to::text, 'NULL')),
            hint = 'Give both days as YYYY-MM-DD.';
    elsif p_from > p_to then
        raise exception using
            errcode = 'WF002',
            message = format('the range begins on %s, after its end on %s', p_from, p_to),
            hint = 'Give the earlier day first.';
    end if;
end;
$$;
comment on function awf._check_range(date, date, boolean) is 'Raises WF002 for a range of days that cannot be one.';
