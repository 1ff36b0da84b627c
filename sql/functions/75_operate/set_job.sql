-- Changes when a job runs, or that it does.
-- Called by admins and the CLI.
-- Waits for a run of the job at work.
create or replace function awf.set_job(
    p_name text, p_enabled boolean default null, p_schedule text default null, p_every interval default null
)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on
as $$
begin
    perform awf._require_safe_owner();
    perform awf._require_job(p_name);
    if p_schedule !~ '^(\S+\s+){4}\S+$|^[1-9][0-9]?\s+seconds?$' or length(p_schedule) > 200 then
        raise exception using
            errcode = 'WF001',
            message = format('job "%s": the schedule cannot be "%s"', p_name, left(p_schedule, 100)),
            hint = 'Five fields as in a crontab: minute, hour, day, month, weekday; or "10 seconds", where pg_cron is 1.5 or newer.';
    elsif p_every < interval '1 second' or p_every > interval '366 days' or extract(year from p_every) <> 0
        or extract(month from p_every) <> 0 then
        raise exception using
            errcode = 'WF001',
            message = format('job "%s" cannot run every %s', p_name, p_every),
            hint = 'Give seconds to days: from 1 second to 366 days, without months.';
    end if;
    update awf.jobs as j set
        enabled = coalesce(p_enabled, j.enabled),
        schedule = coalesce(p_schedule, j.schedule),
        every = coalesce(p_every, j.every),
        updated_at = awf._now()
    where j.name = p_name;
end;
$$;
comment on function awf.set_job(text, boolean, text, interval) is
'Changes a job; what is NULL stays. p_enabled: false keeps everybody from running it, at once. p_schedule: when pg_cron runs it; call
schedule_jobs() again for it to count. p_every: how often the other ways run it.
Errors: WF405 (no such job), WF001 (p_schedule, p_every).
Example: SELECT awf.set_job(''retention'', p_schedule => ''30 4 * * *'');';
