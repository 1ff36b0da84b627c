-- Says in words where a unit falls among the ranges of a phase.
-- Called by _explain_check().
-- Costs one hash.
create or replace function awf._explain_hash(p_experiment jsonb, p_phase jsonb, p_unit text)
returns text
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_n constant double precision := awf.hash_unit(p_phase ->> 'hashSeed', p_unit, (p_experiment -> 'hashVersion')::integer);
    v_index constant integer := awf.choose_variation(v_n, p_phase -> 'ranges');
begin
    return format(
        '%s hashed with seed "%s" to %s: in %s',
        case p_experiment ->> 'hashBasis' when 'player' then 'player hash' else 'session id' end, p_phase ->> 'hashSeed', v_n,
        case when v_index < 0 then 'no range of ' else '' end || (
            select string_agg(format('%s [%s, %s)', r.variation_key, r.low, r.high), ', ' order by r.place)
            from awf._phase_ranges(p_phase) as r
            where v_index in (-1, r.place - 1)
        )
    );
end;
$$;
comment on function awf._explain_hash(jsonb, jsonb, text) is
'Such as "session id hashed with seed "x" to 0.4213: in no range of control [0, 0.125), treatment [0.5, 0.625)".';
