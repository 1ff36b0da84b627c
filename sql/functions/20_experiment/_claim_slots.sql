-- Takes slots of a layer for a time, or says who holds them.
-- Called by _write_claims() and _write_holdout().
-- Writes one row.
create or replace function awf._claim_slots(p_layer_id integer, p_experiment_id bigint, p_slots int4range, p_in_force tstzrange)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_slots constant int8range := int8range(
        p_layer_id * 1000::bigint + lower(p_slots), p_layer_id * 1000::bigint + upper(p_slots)
    );
    v_holder text;
begin
    insert into awf.layer_claims (layer_id, experiment_id, slots, in_force)
    values (p_layer_id, p_experiment_id, v_slots, p_in_force);
exception
    when exclusion_violation then
        select case when c.experiment_id is null then 'the holdout' else format('experiment "%s"', e.key) end into v_holder
        from awf.layer_claims as c
        left join awf.experiments as e on c.experiment_id = e.id
        where c.slots && v_slots and c.in_force && p_in_force
        order by lower(c.in_force), c.slots
        limit 1;
        raise exception using
            errcode = 'WF115',
            message = format(
                'slots %s of layer "%s" are taken by %s', p_slots, (select l.key from awf.layers as l where l.id = p_layer_id),
                coalesce(v_holder, 'another experiment')
            ),
            detail = format(
                'Wanted from %s %s. Free all that time: %s.', lower(p_in_force), coalesce('to ' || upper(p_in_force), 'on'),
                coalesce(nullif(btrim(awf._free_slots(p_layer_id, p_in_force)::text, '{}'), ''), 'none')
            ),
            hint = 'awf.layer_map() (awf-pg layer show) shows who holds what. Choose free slots, or stop the holder first.';
end;
$$;
comment on function awf._claim_slots(integer, bigint, int4range, tstzrange) is
'Claims slots; raises WF115 with the holder and the free slots when one of them is taken.';
