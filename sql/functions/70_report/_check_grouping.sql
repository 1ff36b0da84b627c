-- Refuses groupings that a report does not have.
-- Called by the reports.
-- Costs nothing.
create or replace function awf._check_grouping(p_by text[], p_allowed text[])
returns void
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_by is null or not p_by <@ p_allowed then
        raise exception using
            errcode = 'WF001',
            message = format('a report cannot be grouped by %s', coalesce(p_by::text, 'NULL')),
            hint = format('Group by any of %s, or by nothing.', array_to_string(p_allowed, ', '));
    end if;
end;
$$;
comment on function awf._check_grouping(text[], text[]) is 'Raises WF001 unless the list holds nothing but what is allowed.';
