-- Records turns given as JSON Lines; a line that cannot be read costs the others nothing.
-- Called by services that pass on lines as they come.
-- Takes the careful path of ingest.
create or replace function awf.record_lines(p_lines text)
returns table (accepted integer, duplicate integer, rejected integer)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_events jsonb[];
    v_faults text[];
begin
    perform awf._require_safe_owner();
    if p_lines is null then
        raise exception using
            errcode = 'WF201',
            message = 'lines are NULL, not a text',
            hint = 'Give JSON Lines: one event a line.';
    end if;
    perform awf.open_stage();
    select array_agg(r.event order by t.number), array_agg(r.fault order by t.number)
    into v_events, v_faults
    from string_to_table(p_lines, e'\n') with ordinality as t (line, number)
    cross join lateral awf._read_line(t.line, t.number) as r
    where t.line !~ e'^\\s*$';
    perform awf._stage_events(v_events, v_faults);
    return query select i.accepted, i.duplicate, i.rejected from awf.ingest_batch() as i;
end;
$$;
comment on function awf.record_lines(text) is
'Stores events given as JSON Lines, one document (see record_turn) a line, and returns how many were accepted, were stored already, and
were rejected. A line that is no JSON, or has a NUL character or half of a surrogate pair, is kept in rejected_events with its number
and without its text; the other lines land. Empty lines are passed over.
Errors: WF201 (NULL).
Example: SELECT * FROM awf.record_lines(''{"session_id": "s1", "player_id": "p1", "world_ref": "w", "adventure_ref": "a"}
{"session_id": "s2", "player_id": "p2", "world_ref": "w", "adventure_ref": "a"}'');';
