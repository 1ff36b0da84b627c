-- What of an error's message may stand in the log of jobs.
-- Called by _attempt_job().
-- Costs nothing.
create or replace function awf._job_error(p_code text, p_message text)
returns text
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on
as $$
begin
    -- Messages about data (class 22) quote the value; a player is a hash, which is long and hexadecimal wherever it stands.
    return left(
        regexp_replace(
            case when p_code like '22%' then regexp_replace(p_message, '\s*(".*"|: .*)', ' ...', 'g') else p_message end,
            '[0-9A-Fa-f]{8}[0-9A-Fa-f-]{8,}', '...', 'g'
        ),
        500
    );
end;
$$;
comment on function awf._job_error(text, text) is 'The message without values that could name a player, at most 500 characters.';
