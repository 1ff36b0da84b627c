-- Removes a variation from an experiment.
-- Called by admins.
-- Locks the configuration; deletes the row and its overrides.
create or replace function awf.delete_variation(p_experiment_key text, p_variation_key text, p_revision bigint default null)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_experiment_id constant bigint := awf._lock_experiment(p_experiment_key, p_revision);
begin
    perform awf._require_safe_owner();
    perform awf._require_variation(p_experiment_key, p_variation_key);
    if exists (
        select from awf.experiment_phases as p
        where p.experiment_id = v_experiment_id
            and p.allocations @> jsonb_build_array(jsonb_build_object('variation', p_variation_key))
    ) then
        raise exception using
            errcode = 'WF106',
            message = format(
                'variation "%s" has units: experiment "%s" has started with it', p_variation_key, p_experiment_key
            ),
            hint = 'Stop the experiment instead, or delete it as a whole.';
    end if;
    delete from awf.experiment_overrides as o
    where o.experiment_id = v_experiment_id and o.variation_key = p_variation_key;
    delete from awf.experiment_variations as v
    where v.experiment_key = p_experiment_key and v.variation_key = p_variation_key;
end;
$$;
comment on function awf.delete_variation(text, text, bigint) is
'Removes a variation and its overrides. Once the experiment has started, a variation that gets units stays.
p_revision: refuse unless the experiment is at this revision.
Errors: WF101, WF102 (no such experiment or variation), WF114 (another revision), WF106 (the experiment has started with it).
Example: SELECT awf.delete_variation(''token-budget-test'', ''high-budget'');';
