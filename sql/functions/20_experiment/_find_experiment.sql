-- Finds an experiment, or says which there are.
-- Called by every function that takes an experiment key.
-- Costs one lookup; with p_lock the row stays locked until the transaction ends.
create or replace function awf._find_experiment(p_key text, p_lock boolean default false)
returns bigint
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id bigint;
begin
    if p_lock then
        select e.id into v_id from awf.experiments as e where e.key = p_key for update;
    else
        select e.id into v_id from awf.experiments as e where e.key = p_key;
    end if;
    if v_id is null then
        raise exception using
            errcode = 'WF101',
            message = format('there is no experiment "%s"', coalesce(left(p_key, 100), 'NULL')),
            hint = 'SELECT key FROM awf.list_experiments(); (awf-pg experiment list) shows them all.';
    end if;
    return v_id;
end;
$$;
comment on function awf._find_experiment(text, boolean) is 'Id of the experiment; raises WF101 when there is none.';
