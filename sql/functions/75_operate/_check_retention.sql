-- Refuses to drop days from which events are still accepted.
-- Called by apply_retention() and archive_days().
-- Costs two settings.
create or replace function awf._check_retention(p_dry_run boolean, p_max_days integer)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_keep constant numeric := awf._setting_number('events_keep_days');
    v_age constant numeric := awf._setting_number('ingest_max_age_days');
begin
    if p_dry_run is null or p_max_days is null or p_max_days < 0 then
        raise exception using
            errcode = 'WF001',
            message = format(
                'retention cannot be applied with p_dry_run %s and p_max_days %s',
                coalesce(p_dry_run::text, 'NULL'), coalesce(p_max_days::text, 'NULL')
            ),
            hint = 'Give true or false, and the most days that one call may drop, 0 or more.';
    elsif v_keep < v_age then
        raise exception using
            errcode = 'WF106',
            message = format('events are kept for %s days, but accepted up to an age of %s days', v_keep, v_age),
            detail = 'Events of a dropped day that come later, from a client''s spool say, would be refused. Nothing was dropped.',
            hint = format(
                'Set ingest_max_age_days to %s at most, or events_keep_days to %s at least: awf.set_setting().', v_keep, v_age
            );
    end if;
end;
$$;
comment on function awf._check_retention(boolean, integer) is
'Raises WF001 for arguments that cannot be, WF106 when events_keep_days is smaller than ingest_max_age_days.';
