-- Removes a variation from an experiment.
-- Called by admins.
-- Locks the experiment's row; deletes one row.
create or replace function awf.delete_variation(p_experiment_key text, p_variation_key text)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_experiment_id constant bigint := awf._find_experiment(p_experiment_key, true);
begin
    perform awf._require_safe_owner();
    perform awf._require_variation(p_experiment_key, p_variation_key);
    if exists (
        select from awf.experiments as e
        where e.id = v_experiment_id and e.status <> 'draft'
            and e.allocations @> jsonb_build_array(jsonb_build_object('variation', p_variation_key))
    ) then
        raise exception using
            errcode = 'WF106',
            message = format(
                'variation "%s" has units: experiment "%s" has started with it', p_variation_key, p_experiment_key
            ),
            hint = 'Stop the experiment instead, or delete it as a whole.';
    end if;
    delete from awf.experiment_variations as v
    where v.experiment_key = p_experiment_key and v.variation_key = p_variation_key;
end;
$$;
comment on function awf.delete_variation(text, text) is
'Removes a variation. Once the experiment has started, a variation that gets units stays.
Errors: WF101, WF102 (no such experiment or variation), WF106 (the experiment has started with it).
Example: SELECT awf.delete_variation(''token-budget-test'', ''high-budget'');';
