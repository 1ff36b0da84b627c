-- Finds an experiment, or says which there are.
-- Called by every function that takes an experiment key.
-- Costs one lookup.
create or replace function awf._find_experiment(p_key text)
returns bigint
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id bigint;
begin
    select e.id into v_id from awf.experiments as e where e.key = p_key;
    if v_id is null then
        raise exception using
            errcode = 'WF101',
            message = format('there is no experiment "%s"', coalesce(left(p_key, 100), 'NULL')),
            hint = 'SELECT key FROM awf.list_experiments(); (awf-pg experiment list) shows them all.';
    end if;
    return v_id;
end;
$$;
comment on function awf._find_experiment(text) is 'Id of the experiment; raises WF101 when there is none.';
