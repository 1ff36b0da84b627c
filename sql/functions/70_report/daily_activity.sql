-- The last days at a glance, with their players, as of a few minutes ago.
-- Called by readers, analysts, admins and the CLI.
-- Costs a row for each day.
create or replace function awf.daily_activity(p_days integer default 30)
returns table (
    day date, players bigint, turns bigint, failed_turns bigint, bundle_tokens numeric, output_tokens numeric,
    avg_turn_latency_ms numeric, as_of timestamptz
)
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    if p_days is null or p_days not between 1 and 92 then
        raise exception using
            errcode = 'WF001',
            message = format('the last %s days are not kept', coalesce(p_days::text, 'NULL')),
            hint = 'Ask for 1 to 92 days; activity_report() has all of them, without players.';
    end if;
    return query
    select
        s.day, s.players, s.turns, s.failed_turns, coalesce(s.bundle_tokens, 0), coalesce(s.output_tokens, 0),
        round(s.latency_us / s.latencies / 1000, 3), r.refreshed_at
    from awf.activity_snapshot as s
    cross join awf.view_refreshes as r
    where r.view_name = 'activity_snapshot' and s.day > (awf._now() at time zone 'UTC')::date - p_days
    order by s.day;
end;
$$;
comment on function awf.daily_activity(integer) is
'The last p_days days (UTC, 92 at most) with turns: players, turns, failed turns, sums of tokens, mean latency in ms. The figures are those
of the moment as_of, which the job "views" moves on every five minutes; activity_report() has those of now, without players.
Errors: WF001 (p_days).
Example: SELECT day, players, turns, as_of FROM awf.daily_activity(7);';
