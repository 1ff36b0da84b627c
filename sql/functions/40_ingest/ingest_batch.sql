-- Stores what the staging table holds: good rows as events, bad rows as rejected events with their reasons.
-- Called by writers after their COPY, in the same transaction.
-- Costs about twice the direct path; takes the locks of _ensure_partition() for a new day.
create or replace function awf.ingest_batch(p_bytes bigint default null)
returns table (accepted integer, duplicate integer, rejected integer)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_days date[];
    v_numbers jsonb;
    v_stored integer;
    v_left_out integer;
begin
    perform awf._require_safe_owner();
    if not awf._stage_exists() then
        raise exception using
            errcode = 'WF202',
            message = 'this session has no staging table',
            hint = 'Call awf.open_stage() and COPY into pg_temp.awf_stage first.';
    end if;
    accepted := 0;
    duplicate := 0;
    rejected := awf._reject_stage();
    select d.days, d.numbers into v_days, v_numbers from awf._stage_dimensions() as d;
    for i in 1 .. cardinality(v_days) loop
        select d.stored, d.left_out into v_stored, v_left_out
        from awf._ingest_stage_day(
            v_days[i], v_numbers, case i when 1 then rejected else 0 end, case i when 1 then p_bytes end
        ) as d;
        accepted := accepted + v_stored;
        duplicate := duplicate + v_left_out;
    end loop;
    if v_days = '{}' and rejected > 0 then
        -- There is nothing to roll up.
        insert into awf.ingest_log (day, path, rows, duplicates, rejected, bytes, duration_ms, role_name, rolled_up_at)
        values (
            (awf._now() at time zone 'UTC')::date, 'careful', 0, 0, rejected, p_bytes, awf._elapsed_ms(), awf._caller(), clock_timestamp()
        );
    end if;
    delete from pg_temp.awf_stage;
    return next;
end;
$$;
comment on function awf.ingest_batch(bigint) is
'Stores the rows of pg_temp.awf_stage (see open_stage) and returns how many were accepted, were duplicates of stored events (same id
and ts; nothing changes), and were rejected (see the table rejected_events). A bad row never costs the batch its good rows. p_bytes
is what the COPY sent, for the log.
Errors: WF202 (no staging table), WF204 (one that the caller made), WF207 (a REPEATABLE READ transaction, and events that another has
stored since it began).';
