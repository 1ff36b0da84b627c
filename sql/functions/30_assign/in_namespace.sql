-- Whether a unit falls into a namespace of GrowthBook, its older way to keep experiments apart.
-- Called by services that share namespaces with experiments of GrowthBook; layers hash by another version, see _in_layer().
-- Costs one FNV-1a run.
create or replace function awf.in_namespace(p_value text, p_namespace jsonb)
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
    if jsonb_typeof(p_namespace -> 0) = 'string' and jsonb_typeof(p_namespace -> 1) = 'number'
        and jsonb_typeof(p_namespace -> 2) = 'number' then
        v_n := awf.hash_unit('__' || (p_namespace ->> 0), p_value, 1);
        return coalesce(
            v_n >= awf._to_double((p_namespace -> 1)::numeric) and v_n < awf._to_double((p_namespace -> 2)::numeric), false
        );
    end if;
    return false;
end;
$$;
comment on function awf.in_namespace(text, jsonb) is
'Whether a unit falls into the part [low, high) of a namespace of GrowthBook; p_namespace: [id, low, high].
False for NULL and for anything that is no namespace.
Example: SELECT awf.in_namespace(''session-1'', ''["budgets", 0, 0.5]'');';
