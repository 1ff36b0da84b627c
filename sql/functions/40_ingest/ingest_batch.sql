-- Stores what the staging table holds: good rows as events, bad rows as rejected events with their reasons.
-- Called by writers after their COPY, in the same transaction.
-- Costs about three times the direct path; takes the locks of _ensure_partition() for a new day.
create or replace function awf.ingest_batch()
returns table (accepted integer, duplicate integer, rejected integer)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_day date;
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
    perform awf._add_stage_dimensions();
    for v_day in
        select distinct (s.ts at time zone 'UTC')::date from pg_temp.awf_stage as s where s.fault is null order by 1
    loop
        select i.stored, i.left_out into v_stored, v_left_out from awf._ingest_stage_day(v_day) as i;
        accepted := accepted + v_stored;
        duplicate := duplicate + v_left_out;
    end loop;
    delete from pg_temp.awf_stage;
    return next;
end;
$$;
comment on function awf.ingest_batch() is
'Stores the rows of pg_temp.awf_stage (see open_stage) and returns how many were accepted, were duplicates of stored events (same id
and ts; nothing changes), and were rejected (see the table rejected_events). A bad row never costs the batch its good rows.
Errors: WF202 (no staging table), WF204 (one that the caller made).';
