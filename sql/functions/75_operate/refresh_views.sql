-- Brings the materialised views up to date.
-- Called by admins and the job "views".
-- Costs a scan of the daily totals and of three months of players' days; readers go on meanwhile, a second refresh waits.
create or replace function awf.refresh_views()
returns table (view_name text, refreshed_at timestamptz, rows bigint)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    refresh materialized view concurrently awf.experiment_snapshot;
    refresh materialized view concurrently awf.activity_snapshot;
    update awf.view_refreshes as r set refreshed_at = now() where true;
    return query
    select r.view_name, r.refreshed_at, case r.view_name
        when 'experiment_snapshot' then (select count(*) from awf.experiment_snapshot)
        else (select count(*) from awf.activity_snapshot)
    end
    from awf.view_refreshes as r
    order by r.view_name;
end;
$$;
comment on function awf.refresh_views() is
'Brings what experiment_overview() and daily_activity() show up to date, while both go on answering. Returns a row for each view: its name,
the moment it shows, and how many rows it has.
Example: SELECT * FROM awf.refresh_views();';
