-- Deletes a layer that no experiment refers to.
-- Called by admins.
-- Locks the configuration; deletes its row and its holdout.
create or replace function awf.delete_layer(p_key text)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id integer;
    v_experiments text;
begin
    perform awf._require_safe_owner();
    perform awf._lock_configuration();
    v_id := awf._find_layer(p_key);
    select string_agg(format('"%s"', e.key), ', ' order by e.key) into v_experiments
    from awf.experiments as e
    where e.layer_id = v_id;
    if v_experiments is not null then
        raise exception using
            errcode = 'WF106',
            message = format('layer "%s" has experiments: %s', p_key, left(v_experiments, 500)),
            hint = 'Delete them first, or take those that are drafts out of the layer.';
    end if;
    delete from awf.layers as l where l.id = v_id;
end;
$$;
comment on function awf.delete_layer(text) is
'Deletes a layer without experiments, its holdout with it.
Errors: WF117 (no such layer), WF106 (experiments refer to it, in whatever state).
Example: SELECT awf.delete_layer(''budgets'');';
