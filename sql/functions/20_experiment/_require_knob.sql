-- Refuses a parameter name that no knob has.
-- Called when guardrails or params are saved.
-- Costs one lookup.
create or replace function awf._require_knob(p_knob text, p_where text)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (select from awf.knobs as k where k.name = p_knob) then
        raise exception using
            errcode = 'WF108',
            message = format('%s: there is no knob "%s"', p_where, left(p_knob, 100)),
            hint = 'Knobs: ' || (select string_agg(k.name, ', ' order by k.name) from awf.knobs as k) || '.';
    end if;
end;
$$;
comment on function awf._require_knob(text, text) is 'Raises WF108 when there is no such knob; the second argument says where it was named.';
