-- Functions of earlier versions that are gone or whose signature changed are dropped here, before the new ones are made.

drop function if exists awf._pick_variation(jsonb, text, text, timestamptz);
drop function if exists awf._evaluate(jsonb, text, text, jsonb, timestamptz);
drop function if exists awf._pick_variation(jsonb, text, text, jsonb, timestamptz);
drop function if exists awf._evaluate(jsonb, text, text, jsonb, jsonb, timestamptz);
drop function if exists awf._experiment_config(bigint);
drop function if exists awf._find_experiment(text, boolean);
drop function if exists awf._variation_id(text, text);
drop function if exists awf.assign(text, text, text, jsonb, timestamptz);
drop function if exists awf.turn_params(text, text, jsonb, jsonb, timestamptz);
drop function if exists awf.list_experiments(text);
drop function if exists awf.update_experiment(text, jsonb);
drop function if exists awf.start_experiment(text);
drop function if exists awf.stop_experiment(text);
drop function if exists awf.create_variation(text, text, jsonb);
drop function if exists awf.update_variation(text, text, jsonb);
drop function if exists awf.delete_variation(text, text);
drop function if exists awf.experiment_report(text, date, date, text[]);
drop function if exists awf._event_variations(jsonb);
drop function if exists awf._fnv1a(text);
drop function if exists awf._require_changeable(text, text);
drop function if exists awf.reject_event(text, text, jsonb);
drop function if exists awf._event_fault(
    timestamptz, uuid, text, bytea, text, text, text, text, integer[], bigint[], jsonb, timestamptz, timestamptz, integer[]
);
drop function if exists awf.ingest_batch();
drop function if exists awf._ingest_stage_day(date);
drop function if exists awf._parse_event(jsonb);
drop function if exists awf._add_stage_dimensions();
drop function if exists awf._ingest_stage_day(date, integer, bigint);
drop function if exists awf._event_assignments(jsonb);
drop function if exists awf._assignments_fault(jsonb);
drop function if exists awf._document_fault(jsonb);
drop function if exists awf._totals_of(date, text);
drop function if exists awf._add_totals(date, text);
drop function if exists awf._add_exposures(date, text);
drop function if exists awf._claim_batches(bigint, integer);
drop function if exists awf._check_grouping(text[]);
drop function if exists awf._count_units(bigint, date, date, text[]);
drop function if exists awf._partition_of(text);
