-- Takes events that were tried again out of rejected_events, or brings their rows up to date with the new refusal.
-- Called by retry_rejected().
-- Costs a join of the tried rows with the new ones.
create or replace function awf._settle_retried(p_ids bigint[], p_last_id bigint)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_again bigint[];
begin
    -- The careful path has written a row for each refusal, with the very document that was tried.
    with refused as (
        select distinct on (n.event) n.event, n.reason, n.detail, n.complete
        from awf.rejected_events as n
        where n.id > p_last_id
        order by n.event, n.id desc
    ),

    kept as (
        update awf.rejected_events as o set reason = n.reason, detail = n.detail, complete = n.complete
        from refused as n
        where o.id = any (p_ids) and o.event = n.event
        returning o.id
    )

    select coalesce(array_agg(k.id), '{}') into v_again from kept as k;
    delete from awf.rejected_events as n
    using awf.rejected_events as o
    where n.id > p_last_id and o.id = any (v_again) and n.event = o.event;
    delete from awf.rejected_events as o where o.id = any (p_ids) and o.id <> all (v_again);
end;
$$;
comment on function awf._settle_retried(bigint[], bigint) is
'Rows p_ids of rejected_events: those with a new refusal beyond p_last_id take its reason and stay, the others go.';
