-- The functions that run with the owner's rights (SECURITY DEFINER), each for a reason: the one list, held by a test.
-- Called by the catalogue test only.
-- Costs nothing: a constant.
create or replace function awf._definers()
returns table (function_name text, reason text)
language sql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
    values
    ('grant_usage', 'grants on the owner''s objects'),
    ('revoke_usage', 'revokes on the owner''s objects'),
    ('set_setting', 'checked change of a table that nobody may write'),
    ('set_player_hash_key', 'writes the secret that nobody may read'),
    ('hash_player', 'reads the secret that nobody may read'),
    ('create_experiment', 'checked change of a table that nobody may write'),
    ('update_experiment', 'checked change of a table that nobody may write'),
    ('delete_experiment', 'checked change of a table that nobody may write'),
    ('start_experiment', 'checked change of a table that nobody may write'),
    ('stop_experiment', 'checked change of a table that nobody may write'),
    ('create_variation', 'checked change of a table that nobody may write'),
    ('update_variation', 'checked change of a table that nobody may write'),
    ('delete_variation', 'checked change of a table that nobody may write'),
    ('open_phase', 'checked change of a table that nobody may write'),
    ('set_ramp', 'checked change of a table that nobody may write'),
    ('advance_ramp', 'checked change of a table that nobody may write'),
    ('set_override', 'checked change of a table that nobody may write'),
    ('create_layer', 'checked change of a table that nobody may write'),
    ('set_holdout', 'checked change of a table that nobody may write'),
    ('delete_layer', 'checked change of a table that nobody may write'),
    ('create_from_template', 'checked change of a table that nobody may write'),
    ('save_template', 'checked change of a table that nobody may write'),
    ('delete_template', 'checked change of a table that nobody may write'),
    ('_touch_config', 'trigger: counts the revision, which nobody may write'),
    ('active_config', 'writers read the configuration, but no table'),
    ('assign', 'writers ask for assignments, but read no table'),
    ('turn_params', 'writers ask for parameters, but read no table'),
    ('assign_many', 'evaluates as assign() does, which needs functions that nobody may call'),
    ('explain_assignment', 'evaluates as assign() does, which needs functions that nobody may call'),
    ('simulate_assignment', 'evaluates as assign() does, which needs functions that nobody may call'),
    ('verify_assignments', 'evaluates as assign() does, which needs functions that nobody may call'),
    ('dimension_ids', 'writers add to the dictionaries, but read no table'),
    ('variation_numbers', 'writers ask for numbers, but read no table'),
    ('open_batch', 'makes partitions and writes the ingest log'),
    ('close_batch', 'writes the ingest log'),
    ('_guard_copy', 'trigger: reads the ingest log, which writers may not'),
    ('open_stage', 'makes the staging table as its owner'),
    ('ingest_batch', 'writes events, which writers may only COPY into an open batch'),
    ('reject_event', 'writes rejected events, which writers may not read'),
    ('open_source', 'remembers files in a table that nobody may write'),
    ('close_source', 'remembers files in a table that nobody may write'),
    ('record_turn', 'writes events'),
    ('record_turns', 'writes events'),
    ('record_lines', 'writes events'),
    ('retry_rejected', 'writes events and changes rejected ones'),
    ('_insert_analytics_event', 'trigger: writes events'),
    ('refresh_rollups', 'writes rollups that nobody may write'),
    ('rollup_daily', 'writes rollups that nobody may write'),
    ('backfill', 'writes rollups that nobody may write'),
    ('ensure_partitions', 'makes partitions'),
    ('apply_retention', 'drops what nobody may drop'),
    ('run_job', 'writes the log of jobs, and does what nobody may do directly'),
    ('set_job', 'checked change of a table that nobody may write'),
    ('forget_player', 'deletes rows that nobody may delete'),
    ('reapply_erasures', 'deletes rows that nobody may delete'),
    ('open_archive', 'detaches partitions and grants on them'),
    ('close_archive', 'reads a table that nobody may read'),
    ('drop_archived_day', 'drops a table of the owner'),
    ('attach_day', 'attaches partitions'),
    ('open_restore', 'makes a table and grants on it'),
    ('close_restore', 'attaches partitions'),
    ('_count_units', 'counts units, whom readers may not see'),
    ('analytics_stats', 'counts rows that readers may not see');
$$;
comment on function awf._definers() is 'Every SECURITY DEFINER function of schema awf, with the reason why it is one.';
