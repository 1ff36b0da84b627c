-- Refuses a file that is known under another content or name, or that was ingested to its end.
-- Called by open_source().
-- Costs two lookups.
create or replace function awf._check_source(p_name text, p_digest text)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
declare
    v_known record;
    v_since text;
begin
    -- The one that has the name says more than the one that has the content.
    select s.name, s.digest, s.opened_at, s.closed_at, s.role_name into v_known
    from awf.ingest_sources as s
    where s.name = p_name or s.digest = p_digest
    order by s.name = p_name desc
    limit 1;
    v_since := case
        when v_known.closed_at is null then format('begun %s by role "%s" and not finished', v_known.opened_at, v_known.role_name)
        else format('ingested %s by role "%s"', v_known.closed_at, v_known.role_name)
    end;
    if v_known.name <> p_name then
        raise exception using
            errcode = 'WF206',
            message = format('the content of source "%s" was ingested as "%s"', p_name, v_known.name),
            detail = format('Source "%s" was %s.', v_known.name, v_since),
            hint = format('To finish an interrupted run, give its name: --source "%s". ', v_known.name)
                || 'Where this is another file in truth, give each line a ts.';
    elsif v_known.digest <> p_digest then
        raise exception using
            errcode = 'WF206',
            message = format('source "%s" has another content than when it was ingested', p_name),
            detail = format('It was %s. Lines without ts cannot be told from those that are stored.', v_since),
            hint = 'Another file needs another name: --source. For lines that were added to the file, give --from-line as well; '
                || 'lines that were corrected go into a file of their own.';
    elsif v_known.closed_at is not null then
        raise exception using
            errcode = 'WF206',
            message = format('source "%s" was ingested already', p_name),
            detail = format('It was %s.', v_since),
            hint = 'Its lines without ts would be stored twice. Lines with a ts of their own may be sent as often as you like.';
    end if;
end;
$$;
comment on function awf._check_source(text, text) is
'Raises WF206 unless the source is known under this name with this content, and not finished.';
