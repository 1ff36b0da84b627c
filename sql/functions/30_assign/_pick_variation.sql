-- The variation that one experiment of the configuration gives a unit at a time.
-- Called by assign() and _evaluate().
-- Costs one hash, and the condition where there is one.
create or replace function awf._pick_variation(
    p_experiment jsonb, p_session_id text, p_player_hash text, p_attributes jsonb, p_at timestamptz
)
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_unit constant text := nullif(
        case p_experiment ->> 'hashBasis' when 'player' then p_player_hash else p_session_id end, ''
    );
    v_index integer;
begin
    if v_unit is null
        or (p_experiment ->> 'startAt')::timestamptz > p_at
        or (p_experiment ->> 'stopAt')::timestamptz <= p_at
        or (p_experiment -> 'condition' <> '{}' and not awf.matches(p_experiment -> 'condition', p_attributes)) then
        return null;
    end if;
    v_index := awf.choose_variation(
        awf.hash_unit(p_experiment ->> 'hashSeed', v_unit, (p_experiment -> 'hashVersion')::integer),
        p_experiment -> 'ranges'
    );
    -- A JSON array counts -1 from its end.
    return case when v_index >= 0 then p_experiment -> 'variations' -> v_index end;
end;
$$;
comment on function awf._pick_variation(jsonb, text, text, jsonb, timestamptz) is 'The chosen entry of the experiment''s variations; NULL when the unit is out.';
