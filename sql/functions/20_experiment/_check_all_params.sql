-- Holds the params of every variation of an experiment to the bounds in force.
-- Called when an experiment starts, opens a phase or gets other guardrails.
-- Costs a scan of its variations.
create or replace function awf._check_all_params(p_id bigint)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._check_params(e.key, v.variation_key, v.params, e.guardrails)
    from awf.experiments as e
    inner join awf.experiment_variations as v on e.key = v.experiment_key
    where e.id = p_id;
end;
$$;
comment on function awf._check_all_params(bigint) is
'Raises WF108, WF109 or WF110 when the params of a variation do not fit the knobs and guardrails of today.';
