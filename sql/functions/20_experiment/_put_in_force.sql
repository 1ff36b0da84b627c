-- Makes a change of an experiment count: its timeline, its slots, its knobs beside those of others.
-- Called by every function that starts an experiment or changes what assigns, once the row is written.
-- Writes a few rows.
create or replace function awf._put_in_force(p_id bigint, p_from timestamptz, p_known_conflicts text[] default '{}')
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._write_claims(p_id, p_from);
    perform awf._refuse_conflicts(p_id, p_known_conflicts);
    perform awf._write_timeline(p_id, p_from);
end;
$$;
comment on function awf._put_in_force(bigint, timestamptz, text[]) is
'Writes timeline and claims from the moment on; raises WF115 (slots taken) or WF116 (a conflict of knobs that is not known yet).';
