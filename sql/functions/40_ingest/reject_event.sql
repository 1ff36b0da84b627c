-- Keeps an event that a client could not even send, with its reason.
-- Called by clients.
-- Writes one row.
create or replace function awf.reject_event(p_reason text, p_detail text, p_event jsonb, p_complete boolean default false)
returns bigint
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id bigint;
begin
    perform awf._require_safe_owner();
    if p_reason is null or p_reason !~ '^[a-z_]{1,40}$' or jsonb_typeof(p_event) is distinct from 'object' then
        raise exception using
            errcode = 'WF001',
            message = format('an event cannot be rejected for "%s"', coalesce(left(p_reason, 60), 'NULL')),
            hint = 'The reason is a code of lower-case letters and "_"; the event is a JSON object.';
    end if;
    insert into awf.rejected_events (reason, detail, player_hash, event, complete)
    values (
        p_reason, left(coalesce(p_detail, ''), 500), awf._readable_player(p_event), awf._event_remains(p_event),
        coalesce(p_complete, false) and awf._keeps_all(p_event)
    )
    returning id into v_id;
    return v_id;
end;
$$;
comment on function awf.reject_event(text, text, jsonb, boolean) is
'Keeps an event that could not be sent as a row (a NUL character, a number beyond its type) in rejected_events and returns its number.
Free text and raw player ids are taken out of p_event. p_complete: it is the whole event, so that retry_rejected() may try it again if
nothing had to be taken out.
Errors: WF001 (no reason code, no object).';
