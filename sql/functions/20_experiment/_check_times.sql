-- Refuses an end that lies before the start, or before now once the experiment runs.
-- Called by _change_experiment() when a time changes.
-- Costs one lookup.
create or replace function awf._check_times(p_key text, p_changes jsonb)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_fault text;
begin
    select
        case
            when t.stop_at <= t.start_at then 'would stop before it starts'
            when t.stop_at <= awf._now() and e.status = 'running' then 'cannot stop in the past'
        end
    into v_fault
    from awf.experiments as e
    cross join lateral (
        select
            case when p_changes ? 'startAt' then awf._to_timestamp(p_changes ->> 'startAt') else e.start_at end as start_at,
            case when p_changes ? 'stopAt' then awf._to_timestamp(p_changes ->> 'stopAt') else e.stop_at end as stop_at
    ) as t
    where e.key = p_key;
    if v_fault is not null then
        raise exception using
            errcode = 'WF002',
            message = format('experiment "%s" %s', p_key, v_fault),
            detail = format('Changes: %s', left(p_changes::text, 500)),
            hint = 'stopAt must lie after startAt, and for a running experiment after now: awf.stop_experiment() (awf-pg '
                || 'experiment stop) stops it at once.';
    end if;
end;
$$;
comment on function awf._check_times(text, jsonb) is 'Raises WF002 when the experiment would end too early.';
