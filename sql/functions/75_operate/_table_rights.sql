-- Which kind of role may read which table or view, and which columns: the one list of table rights.
-- Called by _apply_grants().
-- Costs nothing: a constant.
create or replace function awf._table_rights()
returns table (kind text, relation text, privilege text)
language sql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
    with shared (relation, privilege) as (
        values
        ('experiments', 'select'),
        ('experiment_variations', 'select'),
        ('variation_ids', 'select'),
        ('experiment_phases', 'select'),
        ('experiment_templates', 'select'),
        ('layers', 'select'),
        ('layer_claims', 'select'),
        ('dimensions', 'select'),
        ('settings', 'select'),
        ('knobs', 'select'),
        ('metrics', 'select'),
        ('config_state', 'select'),
        ('event_days', 'select'),
        ('jobs', 'select'),
        ('job_runs', 'select'),
        ('daily_totals', 'select'),
        ('dimension_totals', 'select'),
        ('hourly_totals', 'select'),
        ('locale_totals', 'select'),
        ('histograms', 'select'),
        ('exposure_days', 'select'),
        ('view_refreshes', 'select'),
        ('experiment_moments', 'select'),
        ('history_moments', 'select'),
        ('rollup_state', 'select'),
        ('daily_rollups', 'select')
    ),

    raw (relation, privilege) as (
        values
        ('exposures', 'select'),
        ('crossovers', 'select'),
        ('unit_totals', 'select'),
        ('player_days', 'select'),
        ('archives', 'select'),
        ('erasures', 'select'),
        ('experiment_overrides', 'select'),
        ('turn_events', 'select'),
        ('analytics_events', 'select'),
        ('ingest_log', 'select'),
        ('ingest_sources', 'select'),
        ('rejected_events', 'select'),
        ('schema_steps', 'select'),
        ('role_grants', 'select')
    )

    select k.kind, s.relation, s.privilege from shared as s cross join (values ('reader'), ('analyst'), ('admin')) as k (kind)
    union all
    select k.kind, r.relation, r.privilege from raw as r cross join (values ('analyst'), ('admin')) as k (kind)
    union all
    -- Enough to count first exposures, and nothing that names a unit.
    select 'reader', 'exposures', 'select (experiment_id, variation_id, locale_id, first_ts)'
    union all
    select 'reader', 'crossovers', 'select (experiment_id, phase, variation_id, first_ts)'
    union all
    select 'reader', 'experiment_overrides', 'select (experiment_id)'
    union all
    select k.kind, 'analytics_events', 'insert' from (values ('writer'), ('admin')) as k (kind)
    union all
    -- The default of batch_id asks for currval(); USAGE would allow nextval() too, and with it a forged batch_id.
    select k.kind, 'ingest_log_batch_id_seq', 'select' from (values ('writer'), ('admin')) as k (kind);
$$;
comment on function awf._table_rights() is 'Table and view rights of each kind of role.';
