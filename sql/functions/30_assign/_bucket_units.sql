-- Where many units fall under one phase of an experiment: what the hashes alone decide.
-- Called by _assign_units() and verify_assignments().
-- Costs 4 to 5 us for a UUID, about as much again in a layer.
create or replace function awf._bucket_units(p_experiment jsonb, p_phase jsonb, p_units text[])
returns table (place bigint, unit_id text, in_layer boolean, variation_key text)
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_layer constant jsonb := nullif(p_experiment -> 'layer', 'null');
    v_low constant double precision := (v_layer -> 1)::double precision;
    v_high constant double precision := (v_layer -> 2)::double precision;
    v_slots constant double precision[] := awf._hash_units('__' || (v_layer ->> 0), p_units, 2);
    v_numbers constant double precision[] := awf._hash_units(
        p_phase ->> 'hashSeed', p_units, (p_experiment -> 'hashVersion')::integer
    );
begin
    return query
    select u.place, u.unit_id, v_layer is null or (u.slot >= v_low and u.slot < v_high), r.variation_key
    from unnest(p_units, v_slots, v_numbers) with ordinality as u (unit_id, slot, n, place)
    left join awf._phase_ranges(p_phase) as r on u.n >= r.low and u.n < r.high;
end;
$$;
comment on function awf._bucket_units(jsonb, jsonb, text[]) is
'One row a unit: its place in p_units, whether it falls into the experiment''s part of the layer (true without a layer), and the variation
in whose range it falls. Each unit as _decide() would see it.';
