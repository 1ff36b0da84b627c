-- Whether a unit falls into the slots that an experiment has in its layer.
-- Called by _decide().
-- Costs one hash.
create or replace function awf._in_layer(p_unit text, p_layer jsonb)
returns boolean
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_n double precision;
begin
    if jsonb_typeof(p_layer -> 0) = 'string' and jsonb_typeof(p_layer -> 1) = 'number' and jsonb_typeof(p_layer -> 2) = 'number' then
        -- Version 2, as GrowthBook's filters have it. Its older namespaces hash by version 1, under which two layers whose
        -- keys are equally long do not split independently.
        v_n := awf.hash_unit('__' || (p_layer ->> 0), p_unit, 2);
        return v_n >= awf._to_double((p_layer -> 1)::numeric) and v_n < awf._to_double((p_layer -> 2)::numeric);
    end if;
    return false;
end;
$$;
comment on function awf._in_layer(text, jsonb) is
'p_layer: [layer, low, high]. The same as a GrowthBook filter {"seed": "__" + layer, "ranges": [[low, high]], "hashVersion": 2}.';
