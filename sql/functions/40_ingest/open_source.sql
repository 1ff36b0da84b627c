-- Remembers a file whose lines have no time, and says which time they get: the same in every run until one has finished.
-- Called by awf-pg ingest at the first such line.
-- Writes one row; waits for another run that opens the same file at this moment.
create or replace function awf.open_source(p_name text, p_digest text)
returns timestamptz
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    if p_name is null or length(p_name) not between 1 and 200 or p_digest is null or p_digest !~ '^[0-9a-f]{64}$' then
        raise exception using
            errcode = 'WF001',
            message = format('"%s" with digest "%s" is no source', left(p_name, 60), left(p_digest, 70)),
            hint = 'Give a name of 1 to 200 characters and the SHA-256 of the content in 64 lower-case hexadecimal digits.';
    end if;
    insert into awf.ingest_sources (name, digest, ts, opened_at, role_name)
    values (p_name, p_digest, awf._now(), awf._now(), awf._caller())
    on conflict do nothing;
    perform awf._check_source(p_name, p_digest);
    return (select s.ts from awf.ingest_sources as s where s.name = p_name);
end;
$$;
comment on function awf.open_source(text, text) is
'Opens a file by its name and the SHA-256 of its content, and returns the time of those of its lines that have none. A run that was
interrupted opens it again and gets the same time, so that its events are the same; after close_source() the file is refused, and so
are another content under its name and its content under another name.
Errors: WF206 (ingested already, or changed), WF001 (name, digest).
Example: SELECT awf.open_source(''events.jsonl'', encode(sha256(''the content''), ''hex''));';
