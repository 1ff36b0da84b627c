-- Changes the share of the units that a layer keeps out of all its experiments.
-- Called by admins.
-- Locks the configuration; writes up to two rows.
create or replace function awf.set_holdout(p_layer_key text, p_share numeric)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    perform awf._lock_configuration();
    perform awf._write_holdout(awf._find_layer(p_layer_key), p_share);
end;
$$;
comment on function awf.set_holdout(text, numeric) is
'Holds the top slots of a layer from now on, so that their units are in no experiment of the layer; 0 gives them back.
p_share: 0 to 1 in steps of 0.001.
Errors: WF117 (no such layer), WF001 (no such share), WF115 (an experiment holds some of the slots).
Example: SELECT awf.set_holdout(''budgets'', 0.05);';
