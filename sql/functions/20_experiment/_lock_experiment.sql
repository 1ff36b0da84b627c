-- Locks the configuration and finds an experiment, so that one change is made after the other and each sees the one before.
-- Called by every function that changes an experiment.
-- Locks one row of locks and the row of the experiment until the transaction ends.
create or replace function awf._lock_experiment(p_key text, p_revision bigint default null)
returns bigint
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id bigint;
    v_revision bigint;
begin
    perform awf._lock_configuration();
    v_id := awf._find_experiment(p_key);
    select e.revision into v_revision from awf.experiments as e where e.id = v_id for update;
    if v_revision <> p_revision then
        raise exception using
            errcode = 'WF114',
            message = format('experiment "%s" is at revision %s, not at %s', p_key, v_revision, p_revision),
            detail = 'Somebody changed it in the meantime.',
            hint = 'Look at it with awf.get_experiment() (awf-pg experiment show), then repeat the change with its revision.';
    end if;
    return v_id;
end;
$$;
comment on function awf._lock_experiment(text, bigint) is
'Id of the experiment, locked; raises WF101 when there is none, and WF114 when it is not at the revision that was given.';
