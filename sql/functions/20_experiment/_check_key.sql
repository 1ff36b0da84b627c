-- Refuses a key that could not be written in a URL, a CSV or a log line without care.
-- Called when an experiment or a variation is created.
-- Costs one regular expression.
create or replace function awf._check_key(p_what text, p_key text)
returns void
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_key is null or p_key !~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$' then
        raise exception using
            errcode = 'WF112',
            message = format('"%s" cannot be the key of %s', coalesce(left(p_key, 100), 'NULL'), p_what),
            hint = 'A key has 1 to 63 letters, digits, "-", "_", "." or ":", and begins with a letter or digit.';
    end if;
end;
$$;
comment on function awf._check_key(text, text) is 'Raises WF112 when the text cannot be a key.';
