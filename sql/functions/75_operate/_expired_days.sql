-- The days that are older than events are kept, and why one of them stays all the same.
-- Called by apply_retention().
-- Costs a scan of the catalogue, and sizes and totals of those days.
create or replace function awf._expired_days(p_max_days integer)
returns table (day date, table_name text, attached boolean, bytes bigint, events bigint, kept_for text)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_before constant date := (awf._now() at time zone 'UTC')::date - ceil(awf._setting_number('events_keep_days'))::integer;
    v_archive constant boolean := awf._setting_flag('archive_required');
begin
    -- Detached days first: to drop one does not need the lock of turn_events.
    return query
    with expired as (
        select x.*, g.state, g.archived_at
        from awf._event_tables() as x
        left join awf.event_days as g on g.day = x.day
        where x.day < v_before
    ),

    judged as (
        select
            x.*,
            case
                when x.attached and x.state = 'restored' then 'restored'
                -- A detached day without an archive belongs to an archive at work.
                when case when x.attached then v_archive else x.archived_at is null end then 'not archived'
                when exists (select from awf.ingest_log as l where l.day = x.day and l.rolled_up_at is null) then 'waiting batches'
            end as reason
        from expired as x
    )

    select
        j.day, j.relation::text, j.attached, pg_total_relation_size(j.relation),
        (
            select coalesce(sum(t.n[1]), 0)::bigint
            from awf.daily_totals as t
            where t.variation_id = 0 and t.day = j.day
        ),
        case
            when j.reason is not null then j.reason
            when row_number() over (partition by j.reason is null order by j.attached, j.day) > p_max_days then 'next run'
        end
    from judged as j
    order by j.attached, j.day;
end;
$$;
comment on function awf._expired_days(integer) is
'Days (UTC) that events_keep_days lets go, detached ones first, with table, bytes and events; kept_for says why one stays, NULL for none.';
