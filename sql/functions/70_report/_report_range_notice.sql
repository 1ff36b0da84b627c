-- Tells where the data is when a report found none.
-- Called by experiment_report().
-- Costs one lookup.
create or replace function awf._report_range_notice(p_key text, p_id bigint, p_from date, p_to date)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_data record;
begin
    select min(d.day) as first_day, max(d.day) as last_day
    into v_data
    from awf.daily_totals as d
    inner join awf.variation_ids as v on d.variation_id = v.id
    where v.experiment_id = p_id;
    if v_data.first_day is null then
        raise notice using
            message = format('experiment "%s" has no data yet', p_key),
            hint = 'Events count once they are rolled up: awf.refresh_rollups() (awf-pg rollup refresh).';
    else
        raise notice using message = format(
            'experiment "%s" has no data from %s to %s; it has data from %s to %s (UTC)',
            p_key, coalesce(p_from::text, 'the beginning'), coalesce(p_to::text, 'the end'), v_data.first_day, v_data.last_day
        );
    end if;
end;
$$;
comment on function awf._report_range_notice(text, bigint, date, date) is 'Raises a notice with the first and last day of the experiment''s data.';
