-- Adds the events of new batches to the rollups: totals by each grain, histograms, exposures, totals of units, moments.
-- Called every minute, by an admin, a scheduler or the CLI. A second call at the same time returns at once with zeros.
-- Costs in proportion to the new events; locks the cells it changes until the transaction ends.
create or replace function awf.refresh_rollups(p_max_batches integer default 5000)
returns table (batches integer, events bigint, days integer)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_refresh_id bigint;
    v_claim record;
    v_days date[] := array[]::date[];
begin
    perform awf._require_safe_owner();
    if p_max_batches is null or p_max_batches < 0 then
        raise exception using
            errcode = 'WF001',
            message = format('a refresh cannot take %s batches', coalesce(p_max_batches::text, 'NULL')),
            hint = 'Give the most batches that one call may take, 0 or more.';
    end if;
    batches := 0;
    events := 0;
    if awf._try_rollup_lock(false) then
        perform awf._settle_history();
        v_refresh_id := nextval('awf.refresh_id_seq');
        for v_claim in select c.* from awf._claim_batches(v_refresh_id, p_max_batches) as c loop
            events := events + awf._merge_with_history(
                v_claim.first_day, v_claim.last_day, v_claim.condition, '{totals,histograms,exposures,units,players}'
            );
            batches := batches + v_claim.batches;
            v_days := v_days || v_claim.days;
        end loop;
        perform awf._summarize_batches(v_days);
        perform awf._purge_log(greatest(1000, 2 * batches));
    else
        raise notice 'another refresh is at work';
    end if;
    days := (select count(distinct d.day) from unnest(v_days) as d (day));
    return next;
end;
$$;
comment on function awf.refresh_rollups(integer) is
'Adds the events of committed batches that were not rolled up yet to the rollups (totals by day, hour, adventure and model, histograms,
exposures, totals of units and players, moments), at most p_max_batches of them, all in one transaction: call it until batches is 0.
Returns how many batches, events and days there were; zeros when there is nothing to do or, with a notice, another refresh is at work. It also takes out of ingest_log what was rolled up more than ingest_log_keep_days ago.
Errors: WF001 (p_max_batches).
Example: SELECT * FROM awf.refresh_rollups();';
