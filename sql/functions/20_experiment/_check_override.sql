-- Refuses a unit that can be none.
-- Called by set_override().
-- Costs one lookup.
create or replace function awf._check_override(p_key text, p_unit_id text, p_note text)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if coalesce(length(p_unit_id), 0) not between 1 and 200 then
        raise exception using
            errcode = 'WF001',
            message = format('a unit of %s characters cannot have an override', coalesce(length(p_unit_id), 0)),
            hint = 'Give the session id or player hash, 1 to 200 characters.';
    elsif length(p_note) > 1000 then
        raise exception using
            errcode = 'WF001',
            message = format('a note of %s characters is too long', length(p_note)),
            hint = 'Give at most 1,000 characters.';
    elsif (select e.hash_basis = 'player' from awf.experiments as e where e.key = p_key) then
        perform awf._check_player_hash(p_unit_id);
    end if;
end;
$$;
comment on function awf._check_override(text, text, text) is
'Raises WF001 when the unit is no session id or player hash, or the note is too long.';
