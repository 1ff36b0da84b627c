-- Which kind of role may call which function: the one list of function rights.
-- Called by _apply_grants().
-- Costs nothing: a constant.
create or replace function awf._function_rights()
returns table (kind text, function_name text)
language sql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select k.kind, f.name
    from (values ('reader'), ('analyst'), ('writer'), ('admin')) as k (kind)
    cross join (
        values ('version'), ('_now'), ('_caller'), ('hash_unit'), ('in_namespace'), ('sticky_assignments'), ('_fnv1a'), ('equal_weights'), ('bucket_ranges'),
        ('choose_variation'), ('matches'), ('_condition_fault'), ('_entries_fault'), ('_list_fault'), ('_value_fault'),
        ('_operator_fault'), ('_scalars_fault'), ('_regex_fault'), ('_repeat_bound'), ('_value_operators'), ('_tests_value'),
        ('_meets_condition'), ('_meets_any'), ('_meets_value'), ('_meets_operator'), ('_meets_all'), ('_meets_element'),
        ('_meets_version'), ('_version_key'), ('_compare_texts'), ('_compare_values'), ('_number_of'), ('_to_double'),
        ('_order_holds'), ('_same_value'), ('_fold_case'), ('_in_list'), ('_group_members'), ('_attribute_at'), ('_fnv1a_add'), ('_fnv1a_add8'),
        ('_fnv1a_wide'), ('_as_list'), ('_as_object')
    ) as f (name)
    union all
    select k.kind, f.name
    from (values ('reader'), ('analyst'), ('admin')) as k (kind)
    cross join (
        values ('list_experiments'), ('get_experiment'), ('list_variations'), ('_experiment_document'), ('_variation_document'), ('_find_experiment'),
        ('_check_range'), ('_check_grouping'), ('_report_range_notice'), ('_count_units'), ('_expected_percent'), ('experiment_report'),
        ('experiment_overview'), ('_experiment_snapshot'), ('daily_activity'),
        ('activity_report'), ('_check_activity'), ('_require_zone'), ('_day_begins'), ('_report_periods'), ('_sum_totals'), ('_figures'), ('_quantiles'), ('_quantile_of'), ('_bucket_value'),
        ('analytics_stats'), ('storage_report'), ('_storage_tables'), ('_storage_forecast'), ('_storage_upkeep'), ('_event_tables'),
        ('list_jobs'), ('list_job_runs'), ('_job_due_at'), ('_require_job'),
        ('_setting_number'), ('assign'), ('list_phases'), ('list_layers'), ('layer_map'), ('list_templates'),
        ('_experiment_state'), ('_phases_document'), ('_coverage_at'), ('_present_coverage'), ('_find_layer'), ('_free_slots'), ('_holdout_of')
    ) as f (name)
    union all
    select k.kind, f.name
    from (values ('analyst'), ('admin')) as k (kind)
    cross join (
        values ('active_config'), ('assign_many'), ('explain_assignment'), ('simulate_assignment'), ('verify_assignments'), ('list_overrides')
    ) as f (name)
    union all
    select k.kind, f.name
    from (values ('writer'), ('admin')) as k (kind)
    cross join (
        values ('active_config'), ('assign'), ('turn_params'), ('hash_player'), ('dimension_ids'), ('variation_numbers'),
        ('open_batch'), ('close_batch'), ('open_stage'), ('ingest_batch'), ('open_source'), ('close_source'), ('reject_event'), ('record_turn'), ('record_turns'),
        ('record_lines')
    ) as f (name)
    union all
    select 'admin', f.name
    from (
        values ('create_experiment'), ('update_experiment'), ('delete_experiment'), ('start_experiment'), ('stop_experiment'),
        ('create_variation'), ('update_variation'), ('delete_variation'), ('open_phase'), ('set_ramp'), ('advance_ramp'),
        ('set_override'), ('create_layer'), ('set_holdout'), ('delete_layer'), ('create_from_template'), ('save_template'),
        ('delete_template'), ('set_setting'), ('set_player_hash_key'),
        ('refresh_rollups'), ('refresh_views'), ('rollup_daily'), ('backfill'),
        ('archive_days'), ('_check_retention'), ('open_archive'), ('close_archive'), ('drop_archived_day'), ('attach_day'),
        ('open_restore'), ('close_restore'),
        ('ensure_partitions'), ('apply_retention'),
        ('run_job'), ('run_jobs'), ('set_job'), ('schedule_jobs'), ('unschedule_jobs'), ('cron_statements'), ('_require_cron'),
        ('retry_rejected'), ('dismiss_rejected'), ('forget_player'), ('reapply_erasures')
    ) as f (name);
$$;
comment on function awf._function_rights() is 'Function rights of each kind of role.';
