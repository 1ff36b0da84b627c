-- Checks a document of changes and writes it to an experiment: the one place where the fields of an experiment are set.
-- Called by create_experiment() and update_experiment().
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
    update awf.experiments as e set
        name = coalesce(p_changes ->> 'name', e.name),
        allocations = coalesce(p_changes -> 'allocations', e.allocations),
        guardrails = coalesce(p_changes -> 'guardrails', e.guardrails),
        condition = coalesce(p_changes -> 'condition', e.condition),
        hash_basis = coalesce(p_changes ->> 'hashBasis', e.hash_basis),
        hash_seed = coalesce(p_changes ->> 'hashSeed', e.hash_seed),
        hash_version = coalesce((p_changes -> 'hashVersion')::smallint, e.hash_version),
        coverage = coalesce((p_changes -> 'coverage')::double precision, e.coverage),
        start_at = case when p_changes ? 'startAt' then awf._to_timestamp(p_changes ->> 'startAt') else e.start_at end,
        stop_at = case when p_changes ? 'stopAt' then awf._to_timestamp(p_changes ->> 'stopAt') else e.stop_at end
    where e.key = p_key;
exception
    when check_violation then
        raise exception using
            errcode = 'WF002',
            message = format('experiment "%s" would stop before it starts', p_key),
            detail = format('Changes: %s', left(p_changes::text, 500)),
            hint = 'stopAt must lie after startAt.';
end;
$$;
comment on function awf._change_experiment(text, jsonb) is 'Writes checked changes to an experiment; raises WF001, WF002, WF105, WF108, WF111 or WF113.';
