-- Takes the events of a day out of the stage that are stored already, or stand there twice.
-- Called by _ingest_stage_day() when it has come upon one.
-- Costs a look into the key for each row.
create or replace function awf._unstage_stored(p_from timestamptz, p_to timestamptz)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v_doubles integer;
begin
    with doubles as (
        select s.ctid as place, row_number() over (partition by s.id, s.ts order by s.ctid) as number
        from pg_temp.awf_stage as s
        where s.ts >= p_from and s.ts < p_to
    )

    delete from pg_temp.awf_stage as s
    using doubles as d
    where s.ctid = d.place and d.number > 1;
    get diagnostics v_doubles = row_count;
    -- With joins by hash off, the planner is left with the key, however little it knows of the two tables.
    delete from pg_temp.awf_stage as s
    where s.ts >= p_from and s.ts < p_to and exists (
        select from awf.turn_events as e where e.id = s.id and e.ts = s.ts and e.ts >= p_from and e.ts < p_to
    );
    if not found and v_doubles = 0 then
        -- A transaction in REPEATABLE READ does not see what another has stored since it began.
        raise exception using
            errcode = 'WF207',
            message = 'another transaction has stored events of this batch meanwhile',
            hint = 'Send the batch again, in a new transaction.';
    end if;
end;
$$;
comment on function awf._unstage_stored(timestamptz, timestamptz) is
'Deletes from the stage the rows from p_from to p_to whose id and ts turn_events has, and of equal ones all but the first.';
