-- Says whether this session has the staging table, and refuses one that somebody else made under its name.
-- Called by open_stage() and ingest_batch().
-- Costs one catalogue lookup.
create or replace function awf._stage_exists()
returns boolean
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_safe boolean;
begin
    -- A table or view of the caller would run the caller's code with the owner's rights.
    select c.relkind = 'r' and pg_get_userbyid(c.relowner) = current_user
    into v_safe
    from pg_catalog.pg_class as c
    where c.relnamespace = pg_my_temp_schema() and c.relname = 'awf_stage';
    if v_safe is false then
        raise exception using
            errcode = 'WF204',
            message = 'pg_temp.awf_stage was not made by awf.open_stage()',
            hint = 'Drop it: the name belongs to the staging table.';
    end if;
    return v_safe is not null;
end;
$$;
comment on function awf._stage_exists() is 'True when the staging table exists; raises WF204 when its owner is not current_user.';
