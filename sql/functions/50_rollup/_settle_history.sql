-- Makes the moments of the players' history anew where the setting history_days has changed.
-- Called by refresh_rollups() and _complete_rollups() by way of it, under the rollup lock.
-- Costs one lookup; after a change some ten index lookups for each exposure to an experiment by player.
create or replace function awf._settle_history()
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    update awf.rollup_state as s set history_days = round(awf._setting_number('history_days'))
    where s.history_days <> round(awf._setting_number('history_days'));
    if found then
        delete from awf.history_moments;
        perform awf._move_history(
            array(
                select distinct x.player_hash
                from awf.exposures as x
                inner join awf.experiments as p on x.experiment_id = p.id
                where p.hash_basis = 'player'
            ),
            '{}', '-infinity', 1
        );
    end if;
end;
$$;
comment on function awf._settle_history() is 'Rebuilds history_moments when the setting history_days differs from what it holds to.';
