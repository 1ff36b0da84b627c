-- Refuses an isolation level under which a statement does not see what others have committed since the transaction began.
-- Called where a decision must rest on the present state.
-- Costs nothing.
create or replace function awf._require_read_committed()
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
        raise exception using
            errcode = 'WF106',
            message = format('days cannot leave in a transaction that is %s', upper(current_setting('transaction_isolation'))),
            detail = 'It does not see which batches others have opened since it began.',
            hint = 'BEGIN ISOLATION LEVEL READ COMMITTED; then try again.';
    end if;
end;
$$;
comment on function awf._require_read_committed() is 'Raises WF106 in a transaction that is REPEATABLE READ or SERIALIZABLE.';
