-- How the pipeline is doing, on the server's side.
-- Called by readers, analysts, admins and the CLI.
-- Costs a scan of the log, of the newest partition, of the exposures and of the rejected events.
create or replace function awf.analytics_stats()
returns jsonb
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    return jsonb_build_object(
        'version', awf.version(),
        'revision', (select c.revision from awf.config_state as c),
        'events', (
            select jsonb_build_object(
                'rolledUp', coalesce(sum(d.n[1]), 0), 'firstDay', min(d.day), 'lastDay', max(d.day),
                'unknownNumbers', coalesce(sum(d.n[1]) filter (where w.id is null or l.id is null), 0)
            )
            from awf.daily_totals as d
            left join awf.dimensions as w on d.world_id = w.id and w.kind = 'world'
            left join awf.dimensions as l on d.locale_id = l.id and l.kind = 'locale'
            where d.variation_id = 0
        ),
        'lastEventAt', awf._last_event_at(),
        'eventsPerMinute', awf._events_per_minute(5),
        'batches', (
            select jsonb_build_object(
                'waiting', count(*) filter (where l.rolled_up_at is null),
                'oldestWaiting', min(l.opened_at) filter (where l.rolled_up_at is null),
                'waitingEvents', awf._logged_events(array_agg(l.batch_id) filter (where l.rolled_up_at is null)),
                'waitingBytes', coalesce(sum(l.bytes) filter (where l.rolled_up_at is null), 0),
                'rolledUp', count(*) filter (where l.rolled_up_at is not null),
                'direct', count(*) filter (where l.path = 'direct'),
                'careful', count(*) filter (where l.path = 'careful'),
                'insert', count(*) filter (where l.path = 'insert')
            )
            from awf.ingest_log as l
        ),
        'rejected', jsonb_build_object(
            'total', (select count(*) from awf.rejected_events),
            'complete', (select count(*) from awf.rejected_events as e where e.complete),
            'byReason', (
                select coalesce(jsonb_object_agg(r.reason, r.n), '{}')
                from (select e.reason, count(*) as n from awf.rejected_events as e group by e.reason) as r
            )
        ),
        'exposures', (select count(*) from awf.exposures),
        'crossovers', (select count(*) from (select distinct c.experiment_id, c.unit_id, c.phase from awf.crossovers as c) as u),
        'erasures', (select count(*) from awf.erasures),
        'partitions', (
            select jsonb_build_object('count', count(*), 'first', min(c.relname), 'last', max(c.relname))
            from pg_catalog.pg_inherits as i
            inner join pg_catalog.pg_class as c on i.inhrelid = c.oid
            where i.inhparent = 'awf.turn_events'::regclass
        ),
        'jobs', awf._jobs_state()
    );
end;
$$;
comment on function awf.analytics_stats() is
'State of the pipeline as JSON: {version, revision, events: {rolledUp, firstDay, lastDay, unknownNumbers}, lastEventAt, eventsPerMinute, batches:
{waiting, oldestWaiting, waitingEvents, waitingBytes, rolledUp, direct, careful, insert}, rejected: {total, complete, byReason},
exposures, crossovers, erasures, partitions: {count, first, last}, jobs: {job: {enabled, lastRunAt, failing, lastErrorAt, lastError}}}.
unknownNumbers counts the events that a direct COPY has brought with a number that is no world or no locale: their writer is at fault.
eventsPerMinute is the mean of the last five whole minutes. batches counts what the log still holds (ingest_log_keep_days); waitingBytes
is known where clients tell it. exposures counts a unit once for each phase of each experiment, crossovers those of them that were seen
in more than one variation; rejected.complete are those that retry_rejected() can try again.
Example: SELECT jsonb_pretty(awf.analytics_stats());';
