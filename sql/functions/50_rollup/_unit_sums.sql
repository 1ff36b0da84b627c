-- The totals of a unit as a list of columns: turns, failed_turns, and for each metric its count and sum.
-- Called by whatever moves rows of unit_totals and player_days.
-- Costs a scan of the small table metrics.
create or replace function awf._unit_sums(p_template text, p_separator text default ', ')
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return concat_ws(
        p_separator, format(p_template, 'turns'), format(p_template, 'failed_turns'),
        awf._each_metric(replace(p_template, '%1$s', '%1$s_count') || p_separator || replace(p_template, '%1$s', '%1$s_sum'), p_separator)
    );
end;
$$;
comment on function awf._unit_sums(text, text) is
'The template (for format(): %1$s the column) filled in for each column of totals in unit_totals and player_days, joined by the separator.';
