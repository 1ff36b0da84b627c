-- Refuses allocations that do not split the units: [{"variation": key, "percent": number}, ...] with a sum of exactly 100.
-- Called when an experiment is created or its allocations change. An empty list is allowed until the start.
-- Costs a walk over the list.
create or replace function awf._check_allocations(p_key text, p_allocations jsonb)
returns void
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_fault text;
    v_sum numeric;
begin
    if jsonb_typeof(p_allocations) is distinct from 'array' then
        v_fault := format('are %s, not a list', coalesce(left(p_allocations::text, 200), 'NULL'));
    else
        select min(awf._allocation_fault(a.entry)) into v_fault from jsonb_array_elements(p_allocations) as a (entry);
    end if;
    if v_fault is null and p_allocations <> '[]'::jsonb then
        select min(format('name variation "%s" twice', d.key)) into v_fault
        from (
            select a.entry ->> 'variation' as key
            from jsonb_array_elements(p_allocations) as a (entry)
            group by a.entry ->> 'variation'
            having count(*) > 1
        ) as d;
        select sum((a.entry ->> 'percent')::numeric) into v_sum from jsonb_array_elements(p_allocations) as a (entry);
        v_fault := coalesce(v_fault, case when v_sum <> 100 then format('sum to %s, not 100', v_sum) end);
    end if;
    if v_fault is not null then
        raise exception using
            errcode = 'WF105',
            message = format('allocations of experiment "%s" %s', p_key, v_fault),
            detail = format('Allocations: %s', left(p_allocations::text, 500)),
            hint = 'Give a list like [{"variation": "control", "percent": 50}, {"variation": "treatment", "percent": 50}].';
    end if;
end;
$$;
comment on function awf._check_allocations(text, jsonb) is 'Raises WF105 when the allocations are malformed or do not sum to exactly 100.';
