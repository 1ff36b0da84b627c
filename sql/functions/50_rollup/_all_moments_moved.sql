-- The change of the sums of all metrics in experiment_moments, as columns.
-- Called by _moved_part().
-- Costs a scan of the small table metrics.
create or replace function awf._all_moments_moved(p_type text, p_are_new boolean)
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return awf._moments_moved('turns', 'failed_turns', '0', p_type, p_are_new)
        || ', ' || awf._each_metric(awf._moments_moved('%1$s_count', '%1$s_sum', '%2$s', p_type, p_are_new));
end;
$$;
comment on function awf._all_moments_moved(text, boolean) is '_moments_moved() for each metric, failed with the number 0 among them.';
