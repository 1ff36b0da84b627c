-- Tries refused events again, after a fix: a wider window, a variation that was missing.
-- Called by admins.
-- Takes the careful path of ingest; locks the rows it tries, so that two calls at once take different ones.
create or replace function awf.retry_rejected(p_reason text default null, p_limit integer default 10000)
returns table (accepted integer, duplicate integer, rejected integer, incomplete bigint)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_ids bigint[];
    v_last_id bigint;
begin
    perform awf._require_safe_owner();
    if p_limit is null or p_limit < 0 then
        raise exception using
            errcode = 'WF001',
            message = format('%s refused events cannot be tried again', coalesce(p_limit::text, 'NULL')),
            hint = 'Give the most events that one call may take, 0 or more.';
    end if;
    perform awf._require_reason(p_reason);
    v_ids := array(
        select r.id
        from awf.rejected_events as r
        where r.complete and r.reason = coalesce(p_reason, r.reason)
        order by r.id
        limit p_limit
        for update skip locked
    );
    v_last_id := (select max(r.id) from awf.rejected_events as r);
    update awf.rejected_events as r set event = awf._retry_document(r.event, r.player_hash, r.rejected_at) where r.id = any (v_ids);
    perform awf.open_stage();
    perform awf._stage_events(
        array(select r.event from awf.rejected_events as r where r.id = any (v_ids) order by r.id), p_keep => true
    );
    select i.accepted, i.duplicate, i.rejected into accepted, duplicate, rejected from awf.ingest_batch() as i;
    perform awf._settle_retried(v_ids, v_last_id);
    incomplete := (
        select count(*) from awf.rejected_events as r where not r.complete and r.reason = coalesce(p_reason, r.reason)
    );
    return next;
end;
$$;
comment on function awf.retry_rejected(text, integer) is
'Tries rejected events again, the oldest first and at most p_limit of them: all, or those with the reason p_reason. What is stored now,
or was stored already, leaves rejected_events; what is refused again stays there once, with its present reason and detail. Ids and
times of the events stay; a document that came without gets an id, and for a time the moment it was refused. Only complete ones can be
tried again: nothing was cut or taken out of them when they were kept (column complete).
Returns how many were accepted, were stored already, and were rejected again, and how many there are (of that reason) that cannot be
tried: send these again from where they came, or let go of them with dismiss_rejected().
Errors: WF001 (p_limit, a reason that no refused event has and none can have).
Example: SELECT * FROM awf.retry_rejected(''unknown_variation'');';
