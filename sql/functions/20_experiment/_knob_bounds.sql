-- The bounds in force for every numeric knob: its own range, the budget setting and the guardrails together.
-- Called when params are saved, and by active_config().
-- Costs a scan of the knobs.
create or replace function awf._knob_bounds(p_guardrails jsonb)
returns table (knob text, type text, low numeric, high numeric, low_from text, high_from text)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        k.name, k.type, l.value, h.value, l.source, h.source
    from awf.knobs as k
    cross join lateral (
        select case jsonb_typeof(p_guardrails -> k.name)
            when 'number' then jsonb_build_object('max', p_guardrails -> k.name)
            else p_guardrails -> k.name
        end as bound
    ) as g
    left join lateral (
        select c.value, c.source
        from (values (k.min_value, 'the knob''s range'), ((g.bound ->> 'min')::numeric, 'the guardrail')) as c (value, source)
        where c.value is not null
        order by c.value desc, c.source desc
        limit 1
    ) as l on true
    left join lateral (
        select c.value, c.source
        from (
            values
            (k.max_value, 'the knob''s range'),
            ((g.bound ->> 'max')::numeric, 'the guardrail'),
            (awf._setting_number(k.budget_setting), 'setting ' || k.budget_setting)
        ) as c (value, source)
        where c.value is not null
        order by c.value, c.source desc
        limit 1
    ) as h on true;
end;
$$;
comment on function awf._knob_bounds(jsonb) is 'Lowest and highest allowed value of every knob under these guardrails, each with what sets it.';
