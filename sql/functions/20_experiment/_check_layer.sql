-- Refuses a layer without slots, slots without a layer, and a layer that splits by another unit.
-- Called by _change_experiment() when layer, slots or hash basis change.
-- Costs two lookups.
create or replace function awf._check_layer(p_key text, p_changes jsonb)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wanted record;
    v_fault text;
begin
    if p_changes ->> 'layer' is not null then
        perform awf._find_layer(p_changes ->> 'layer');
    end if;
    select
        coalesce(n.key, case when p_changes ? 'layer' then null else o.key end) as layer,
        case when n.key is not null then n.hash_basis when p_changes ? 'layer' then null else o.hash_basis end as layer_basis,
        coalesce(p_changes ->> 'hashBasis', e.hash_basis) as hash_basis,
        nullif(case
            when p_changes ? 'slots' then p_changes -> 'slots'
            when p_changes -> 'layer' = 'null' or e.slots is null then null
            else jsonb_build_array(lower(e.slots), upper(e.slots))
        end, 'null') as slots
    into v_wanted
    from awf.experiments as e
    left join awf.layers as o on o.id = e.layer_id
    left join awf.layers as n on n.key = p_changes ->> 'layer'
    where e.key = p_key;
    v_fault := case
        when v_wanted.slots is not null and awf._slots_range(v_wanted.slots) is null
            then format('slots cannot be %s', left(v_wanted.slots::text, 100))
        when v_wanted.layer is null and v_wanted.slots is not null then 'slots without a layer'
        when v_wanted.layer is not null and v_wanted.slots is null then format('layer "%s" without slots', v_wanted.layer)
    end;
    if v_fault is not null then
        raise exception using
            errcode = 'WF122',
            message = format('experiment "%s": %s', p_key, v_fault),
            hint = 'Give both, layer and slots, or neither. Slots are [low, high], whole numbers with 0 <= low < high <= 1000; '
                || 'the slot high itself is left out.';
    elsif v_wanted.layer_basis <> v_wanted.hash_basis then
        raise exception using
            errcode = 'WF001',
            message = format(
                'experiment "%s": hashBasis %s does not fit layer "%s", whose slots go by %s', p_key, v_wanted.hash_basis,
                v_wanted.layer, v_wanted.layer_basis
            ),
            hint = 'Give the experiment the hash basis of its layer, or choose another layer.';
    end if;
end;
$$;
comment on function awf._check_layer(text, jsonb) is
'Raises WF117 (no such layer), WF122 (slots that do not fit) or WF001 (another hash basis).';
