-- Lets go of refused events that nobody will try again.
-- Called by admins.
-- Locks and deletes rows of rejected_events.
create or replace function awf.dismiss_rejected(
    p_reason text default null, p_before timestamptz default null, p_dry_run boolean default false
)
returns bigint
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_events bigint;
begin
    perform awf._require_safe_owner();
    perform awf._require_reason(p_reason);
    if coalesce(p_dry_run, true) then
        return (
            select count(*)
            from awf.rejected_events as r
            where r.reason = coalesce(p_reason, r.reason) and r.rejected_at < coalesce(p_before, 'infinity')
        );
    end if;
    delete from awf.rejected_events as r
    where r.reason = coalesce(p_reason, r.reason) and r.rejected_at < coalesce(p_before, 'infinity');
    get diagnostics v_events = row_count;
    return v_events;
end;
$$;
comment on function awf.dismiss_rejected(text, timestamptz, boolean) is
'Deletes refused events: all, those with the reason p_reason, those refused before p_before, or both; with p_dry_run it only counts
them. Returns how many. apply_retention() does the same by age (setting rejected_keep_days).
Errors: WF001 (a reason that no refused event has and none can have).
Example: SELECT awf.dismiss_rejected(''not_json'', p_dry_run => true);';
