-- Checks a document of changes and writes it to an experiment: the one place where the fields of an experiment are set.
-- Called by every function that creates an experiment or changes its definition.
-- Writes one row.
create or replace function awf._change_experiment(p_key text, p_changes jsonb)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._check_change(p_key, c.key, c.value) from jsonb_each(p_changes) as c;
    if p_changes ? 'allocations' then
        perform awf._check_allocations(p_key, p_changes -> 'allocations');
    end if;
    if p_changes ? 'guardrails' then
        perform awf._check_guardrails(p_key, p_changes -> 'guardrails');
    end if;
    if p_changes ? 'condition' then
        perform awf._check_condition(p_key, p_changes -> 'condition');
    end if;
    if p_changes ? 'ramp' then
        perform awf._check_ramp(p_key, p_changes -> 'ramp');
    end if;
    if p_changes ?| array['startAt', 'stopAt'] then
        perform awf._check_times(p_key, p_changes);
    end if;
    if p_changes ?| array['layer', 'slots', 'hashBasis'] then
        perform awf._check_layer(p_key, p_changes);
    end if;
    perform awf._write_definition(p_key, p_changes);
end;
$$;
comment on function awf._change_experiment(text, jsonb) is
'Writes checked changes to an experiment; raises WF001, WF002, WF105, WF108, WF111, WF113, WF117, WF121 or WF122.';
