-- Deletes an experiment with its variations and all that is kept of its units; its events and totals stay.
-- Called by admins.
-- Locks the configuration; deletes as many rows as it has units.
create or replace function awf.delete_experiment(p_key text)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._lock_experiment(p_key);
    v_variations integer[];
begin
    perform awf._require_safe_owner();
    if (select e.status = 'running' from awf.experiments as e where e.id = v_id) then
        raise exception using
            errcode = 'WF106',
            message = format('experiment "%s" is running', p_key),
            hint = 'Stop it first: awf.stop_experiment() (awf-pg experiment stop).';
    end if;
    delete from awf.exposures as x where x.experiment_id = v_id;
    delete from awf.crossovers as c where c.experiment_id = v_id;
    v_variations := array(select v.id from awf.variation_ids as v where v.experiment_id = v_id);
    delete from awf.unit_totals as t where t.variation_id = any (v_variations);
    delete from awf.experiment_moments as m where m.variation_id = any (v_variations);
    delete from awf.history_moments as m where m.variation_id = any (v_variations);
    delete from awf.experiments as e where e.id = v_id;
end;
$$;
comment on function awf.delete_experiment(text) is
'Deletes an experiment that is not running, with its variations, exposures, crossovers, totals of units and moments. Its events and
the totals of its turns stay.
Errors: WF101 (no such experiment), WF106 (it is running).
Example: SELECT awf.delete_experiment(''token-budget-test'');';
