-- Creates a layer: a place for experiments that must not share a unit.
-- Called by admins.
-- Locks the configuration; writes one row, and one for a holdout.
create or replace function awf.create_layer(
    p_key text, p_hash_basis text default null, p_description text default '', p_holdout numeric default 0
)
returns jsonb
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_basis constant text := coalesce(p_hash_basis, awf._default_basis(null));
    v_id integer;
begin
    perform awf._require_safe_owner();
    perform awf._lock_configuration();
    perform awf._check_key('a layer', p_key);
    if v_basis not in ('session', 'player') then
        raise exception using
            errcode = 'WF001',
            message = format('layer "%s": the hash basis cannot be "%s"', p_key, left(v_basis, 100)),
            hint = 'It is session or player.';
    end if;
    insert into awf.layers (key, hash_basis, description, created_at)
    values (p_key, v_basis, coalesce(p_description, ''), awf._now())
    on conflict (key) do nothing
    returning id into v_id;
    if v_id is null then
        raise exception using
            errcode = 'WF118',
            message = format('layer "%s" exists already', p_key),
            hint = 'Choose another key; awf.set_holdout() (awf-pg layer holdout) changes its holdout.';
    end if;
    perform awf._write_holdout(v_id, coalesce(p_holdout, 0));
    return awf._layer_document(v_id);
end;
$$;
comment on function awf.create_layer(text, text, text, numeric) is
'Creates a layer and returns it: {key, hashBasis, description, holdout, createdAt}. Its key is the seed by which units fall into its
1,000 slots; experiments of the layer hold slots of their own, so no unit is in two of them.
p_hash_basis: session or player; NULL takes the setting hash_basis. Experiments of the layer have the same.
p_holdout: share of the units that stays out of every experiment of the layer, 0 to 1 in steps of 0.001; it holds the top slots.
Errors: WF112 (key), WF118 (exists), WF001 (hash basis or holdout).
Example: SELECT awf.create_layer(''budgets'', ''session'', ''Everything that changes a budget'', 0.1);';
