-- Refuses the name of a job that is not there.
-- Called by the functions that take one.
-- Costs one lookup.
create or replace function awf._require_job(p_name text)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (select from awf.jobs as j where j.name = p_name) then
        raise exception using
            errcode = 'WF405',
            message = format('there is no job "%s"', coalesce(left(p_name, 100), 'NULL')),
            hint = 'Jobs: ' || (select string_agg(j.name, ', ' order by j.place) from awf.jobs as j) || '.';
    end if;
end;
$$;
comment on function awf._require_job(text) is 'Raises WF405 unless there is a job of this name.';
