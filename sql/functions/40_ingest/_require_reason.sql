-- Refuses a reason that no refused event has or can have, such as a misspelt one.
-- Called by retry_rejected() and dismiss_rejected().
-- Costs a scan of rejected_events for a reason that is not one of ours.
create or replace function awf._require_reason(p_reason text)
returns void
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    c_reasons constant text[] := array[
        'missing_session', 'missing_player', 'missing_world', 'missing_adventure', 'bad_player_hash', 'no_hash_key', 'bad_id', 'bad_ts',
        'ts_out_of_window', 'day_gone', 'bad_metric', 'bad_extra', 'bad_attributes', 'bad_locale', 'too_long', 'bad_text', 'bad_assignments',
        'unknown_variation', 'unknown_field', 'not_an_object', 'not_json', 'wrong_type', 'not_encodable'
    ];
begin
    -- Clients may give reasons of their own to reject_event().
    if p_reason <> all (c_reasons) and not exists (select from awf.rejected_events as r where r.reason = p_reason) then
        raise exception using
            errcode = 'WF001',
            message = format('no event was refused for "%s"', left(p_reason, 60)),
            hint = 'Reasons: ' || array_to_string(c_reasons, ', ') || '.';
    end if;
end;
$$;
comment on function awf._require_reason(text) is 'Raises WF001 for a reason that is no reason code of ours and that no refused event has; NULL will do.';
