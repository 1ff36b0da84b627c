-- Says whether the ledger holds a storage step, and refuses when it holds another text under that number.
-- Called by migrate().
-- Costs one lookup.
create or replace function awf._step_done(p_step integer, p_sha256 text)
returns boolean
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_found text;
begin
    if to_regclass('awf.schema_steps') is null then
        return false;
    end if;
    select s.sha256 into v_found from awf.schema_steps as s where s.step = p_step;
    if v_found is not null and v_found <> p_sha256 then
        raise exception using
            errcode = 'WF106',
            message = format('storage step %s was run with another text', p_step),
            detail = format('Ledger: %s; code: %s.', v_found, p_sha256),
            hint = 'Released steps never change. Install the version this database was made with, or start from an empty schema.';
    end if;
    return v_found is not null;
end;
$$;
comment on function awf._step_done(integer, text) is 'True when the storage step was run; raises WF106 when its text differs.';
