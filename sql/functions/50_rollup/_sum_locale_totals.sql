-- Makes the totals of a month or of the run anew, from the days or months that are in it.
-- Called by _recompute_totals().
-- Costs a scan of the totals added up.
create or replace function awf._sum_locale_totals(p_period text, p_start date, p_part text, p_from date, p_before date)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set jit = 'off'
as $$
begin
    delete from awf.locale_totals as d where d.period = p_period and d.start = p_start;
    insert into awf.locale_totals (variation_id, period, start, locale_id, n, sum, sum_squares, min, max)
    select
        m.variation_id, p_period, p_start, m.locale_id, array_agg(m.n order by m.place), array_agg(m.sum order by m.place),
        array_agg(m.sum_squares order by m.place), array_agg(m.min order by m.place), array_agg(m.max order by m.place)
    from (
        select
            d.variation_id, d.locale_id, u.place, sum(u.n)::bigint as n, sum(u.sum)::bigint as sum, sum(u.sum_squares) as sum_squares,
            min(u.min) as min, max(u.max) as max
        from awf.locale_totals as d
        cross join lateral unnest(d.n, d.sum, d.sum_squares, d.min, d.max) with ordinality as u (n, sum, sum_squares, min, max, place)
        where d.period = p_part and d.start >= p_from and d.start < p_before
        group by d.variation_id, d.locale_id, u.place
    ) as m
    group by m.variation_id, m.locale_id;
end;
$$;
comment on function awf._sum_locale_totals(text, date, text, date, date) is
'The locale_totals of p_period beginning on p_start become the sums of those of p_part that begin from p_from on and before p_before.';
