-- What a batch cost, and what is known of a unit at its first exposure.

alter table awf.ingest_log
add column rejected integer,
add column bytes bigint,
add column duration_ms numeric;
comment on column awf.ingest_log.rejected is 'Events refused (careful), in the first row of the batch; a batch without a good event has one row, of the day it came.';
comment on column awf.ingest_log.bytes is 'Bytes that the client sent, where it said so.';
comment on column awf.ingest_log.duration_ms is 'From the opening of the batch to the end of its rows, milliseconds; NULL for single events.';

alter table awf.turn_events
add column attributes jsonb,
add constraint attributes_are_scalars check (
    jsonb_typeof(attributes) = 'object'
    and not jsonb_path_exists(attributes, 'strict $.* ? (@.type() == "object" || @.type() == "array")', '{}', true)
),
add constraint attributes_are_small check (octet_length(attributes::text) <= 2048);
comment on column awf.turn_events.attributes is
'What a turn with exposures said about its unit: texts, numbers and booleans under the names that the setting exposure_attributes allows.';

alter table awf.exposures add column attributes jsonb;
comment on column awf.exposures.attributes is 'Attributes of that event, those that the setting exposure_attributes allowed; NULL for none.';

alter table awf.settings
drop constraint settings_type_check,
add constraint settings_type_check check (type in ('string', 'number', 'array'));
insert into awf.settings (name, value, type, max_value, description) values
('exposure_attributes', '[]', 'array', null, 'Names of the attributes that exposures keep, to form segments by later.'),
('ingest_log_keep_days', '30', 'number', 36500, 'How long the log keeps a batch after it was rolled up, in days.');
