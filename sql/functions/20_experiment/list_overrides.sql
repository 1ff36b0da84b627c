-- Lists the overrides of an experiment.
-- Called by analysts, admins and the CLI.
-- Costs one lookup.
create or replace function awf.list_overrides(p_key text)
returns table (unit_id text, variation_key text, note text, set_at timestamptz)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._find_experiment(p_key);
begin
    return query
    select o.unit_id, o.variation_key, o.note, o.set_at
    from awf.experiment_overrides as o
    where o.experiment_id = v_id
    order by o.unit_id;
end;
$$;
comment on function awf.list_overrides(text) is
'The variations that are forced on named units, by unit.
Errors: WF101 (no such experiment).
Example: SELECT * FROM awf.list_overrides(''token-budget-test'');';
