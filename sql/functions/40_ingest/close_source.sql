-- Marks a file whose lines have no time as ingested to its end.
-- Called by awf-pg ingest after its last batch.
-- Writes one row.
create or replace function awf.close_source(p_name text, p_digest text)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    update awf.ingest_sources as s set closed_at = coalesce(s.closed_at, awf._now())
    where s.name = p_name and s.digest = p_digest;
    if not found then
        raise exception using
            errcode = 'WF001',
            message = format('no source "%s" of this content is open', coalesce(left(p_name, 60), 'NULL')),
            hint = 'Open it with awf.open_source().';
    end if;
end;
$$;
comment on function awf.close_source(text, text) is
'Closes a file that open_source() opened: from now on it is refused. Closing it again changes nothing.
Errors: WF001 (no such source).';
