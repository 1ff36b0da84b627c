-- Deletes what is kept of players as units, and takes it out of the moments.
-- Called by _erase_players(), before their exposures go.
-- Costs a scan of unit_totals and an index lookup a player.
create or replace function awf._erase_units(p_hashes bytea[])
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set jit = 'off'
as $$
begin
    -- @plpgsql_check_options: security_warnings = off
    perform awf._move_history(p_hashes, '{}', '-infinity', -1);
    execute format(
        'with %s select',
        awf._moved_players_part(
            format(
                'select t.player_hash, t.day, %s from awf.player_days as t where t.player_hash = any (%L)',
                awf._unit_sums('-t.%1$s as %1$s'), p_hashes
            )
        )
    );
    delete from awf.player_days as d where d.player_hash = any (p_hashes);
    perform awf._subtract_units(format('t.player_hash = any (%L)', p_hashes));
end;
$$;
comment on function awf._erase_units(bytea[]) is 'Erases the players'' rows of unit_totals and player_days and moves the moments along.';
