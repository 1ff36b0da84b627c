-- Forces a variation on a named unit, or lets go of it.
-- Called by admins.
-- Locks the configuration; writes one row.
create or replace function awf.set_override(p_key text, p_unit_id text, p_variation_key text, p_note text default '')
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._lock_experiment(p_key);
begin
    perform awf._require_safe_owner();
    perform awf._check_override(p_key, p_unit_id, p_note);
    if p_variation_key is null then
        delete from awf.experiment_overrides as o where o.experiment_id = v_id and o.unit_id = p_unit_id;
        return;
    end if;
    perform awf._require_variation(p_key, p_variation_key);
    insert into awf.experiment_overrides as o (experiment_id, unit_id, variation_key, note, set_at)
    values (v_id, p_unit_id, p_variation_key, coalesce(p_note, ''), awf._now())
    on conflict (experiment_id, unit_id) do update set
        variation_key = excluded.variation_key, note = excluded.note, set_at = excluded.set_at;
    if (select count(*) > 1000 from awf.experiment_overrides as o where o.experiment_id = v_id) then
        raise exception using
            errcode = 'WF106',
            message = format('experiment "%s" has 1,000 overrides already', p_key),
            hint = 'Overrides are for trying things out: remove those that are done with (NULL for the variation).';
    end if;
end;
$$;
comment on function awf.set_override(text, text, text, text) is
'Forces a variation on a unit while the experiment is in force, whatever hash, layer, coverage and condition say. Its turns get the
params and count in no experiment. A NULL variation removes the override.
p_unit_id: session id or player hash, as the hash basis says; 1 to 200 characters. p_note: who asked for it and what for. At most 1,000
an experiment.
Errors: WF101, WF102 (no such experiment or variation), WF001 (unit or note), WF106 (1,000 already).
Example: SELECT awf.set_override(''token-budget-test'', ''session-qa-1'', ''high-budget'', ''the new budget, by hand'');';
