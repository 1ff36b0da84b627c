-- The slots of a layer that nobody holds at any moment of a time.
-- Called by _claim_slots() and list_layers().
-- Costs a scan of the layer's claims.
create or replace function awf._free_slots(p_layer_id integer, p_in_force tstzrange)
returns int4multirange
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_base constant bigint := p_layer_id * 1000::bigint;
begin
    return int4multirange(int4range(0, 1000)) - coalesce(
        (
            select range_agg(int4range((lower(c.slots) - v_base)::integer, (upper(c.slots) - v_base)::integer))
            from awf.layer_claims as c
            where c.layer_id = p_layer_id and c.in_force && p_in_force
        ),
        int4multirange()
    );
end;
$$;
comment on function awf._free_slots(integer, tstzrange) is 'The free slots, out of [0,1000).';
