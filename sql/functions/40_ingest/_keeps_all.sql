-- Says whether a refused event can be tried again from what is kept of it.
-- Called wherever an event is refused.
-- Costs what _event_remains() costs.
create or replace function awf._keeps_all(p_event jsonb)
returns boolean
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_event constant jsonb := jsonb_strip_nulls(p_event);
begin
    -- The player stands in the row's own column; whoever sent rows without an id may have sent them twice.
    if jsonb_typeof(v_event) is distinct from 'object' or awf._readable_player(v_event) is null
        or (awf._is_stage_row(v_event) and not v_event ?& array['id', 'ts']) then
        return false;
    end if;
    return v_event - array['player_id', 'playerId'] = awf._event_remains(v_event);
end;
$$;
comment on function awf._keeps_all(jsonb) is
'True when the document tells its player and _event_remains() takes nothing else out of it than a player id.';
