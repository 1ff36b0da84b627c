-- The change of one metric's sums in experiment_moments when units go from (old_d, old_m) to (old_d + d, old_m + m), as columns.
-- Called by _all_moments_moved(), through _each_metric().
-- Costs nothing: a constant.
create or replace function awf._moments_moved(p_d text, p_m text, p_number text, p_type text, p_are_new boolean)
returns text
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    -- What is new has old_d = old_m = 0.
    c_columns constant text := 'sum(c.{d}) as d_{n}, sum(c.{m}) as m_{n}, ' || case
        when p_are_new then
            'count(*) filter (where c.{d} > 0)::numeric as units_{n}, sum(c.{d}::{t} * c.{d}) as dd_{n}, sum(c.{d}::{t} * c.{m}) as dm_{n}, sum(c.{m}::{t} * c.{m}) as mm_{n}'
        else
            'sum((c.old_{d} + c.{d} > 0)::integer - (c.old_{d} > 0)::integer)::numeric as units_{n}, '
            'sum(c.{d}::{t} * (2 * c.old_{d} + c.{d})) as dd_{n}, '
            'sum(c.old_{d}::{t} * c.{m} + c.{d}::{t} * (c.old_{m} + c.{m})) as dm_{n}, '
            'sum(c.{m}::{t} * (2 * c.old_{m} + c.{m})) as mm_{n}'
    end;
begin
    return replace(replace(replace(replace(c_columns, '{d}', p_d), '{m}', p_m), '{n}', p_number), '{t}', p_type);
end;
$$;
comment on function awf._moments_moved(text, text, text, text, boolean) is
'SQL expressions over rows c (old_d, old_m, d, m under the names given): the change of units, sum_d, sum_m, sum_dd, sum_dm and sum_mm, its
products in the type p_type. Where they are new (p_are_new) there is no old_d and old_m.';
