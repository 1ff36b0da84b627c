-- Adds the events of some days that a condition selects to the rollups, and moves the moments of the players' history along.
-- Called by refresh_rollups() for its ranges of batches, and by _recompute_units() for a day anew.
-- Costs what _merge_events() costs; where an experiment goes by player, one more scan and some lookups for each of its players.
create or replace function awf._merge_with_history(
    p_first_day date,
    p_last_day date,
    p_condition text,
    p_parts text[],
    p_anew boolean default false
)
returns bigint
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set jit = 'off'
-- As in _merge_events(): the events of a batch are found by its index, whatever statistics say.
set enable_seqscan = 'off'
as $$
declare
    v_players bytea[];
    v_variations integer[];
    v_events bigint;
begin
    -- @plpgsql_check_options: security_warnings = off
    if exists (select from awf.experiments as p where p.hash_basis = 'player' and p.status <> 'draft') then
        execute 'with ' || awf._events_part(p_first_day, p_last_day, p_condition) || $sql$,
            lists as materialized (select e.player_hash, e.assignments from e group by e.player_hash, e.assignments)

            select
                array(select distinct l.player_hash from lists as l),
                array(select distinct a.id from lists as l cross join lateral unnest(l.assignments) as a (id))
        $sql$ into v_players, v_variations;
        perform awf._move_history(v_players, v_variations, p_first_day, -1);
    end if;
    v_events := awf._merge_events(p_first_day, p_last_day, p_condition, p_parts, p_anew);
    if v_players is not null then
        perform awf._move_history(v_players, v_variations, p_first_day, 1);
    end if;
    return v_events;
end;
$$;
comment on function awf._merge_with_history(date, date, text, text[], boolean) is '_merge_events(), and the change of history_moments that it brings.';
