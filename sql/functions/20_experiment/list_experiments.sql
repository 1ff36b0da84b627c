-- Lists the experiments.
-- Called by readers, admins and the CLI.
-- Costs one scan of a small table.
create or replace function awf.list_experiments(p_status text default null)
returns table (
    key text, name text, status text, hash_basis text, start_at timestamptz, stop_at timestamptz, variations integer,
    created_at timestamptz, updated_at timestamptz, state text, phase integer, coverage double precision, layer text, owner text,
    tags text[], revision bigint
)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_status is not null and p_status not in ('draft', 'running', 'stopped') then
        raise exception using
            errcode = 'WF001',
            message = format('there is no status "%s"', p_status),
            hint = 'Statuses: draft, running, stopped.';
    end if;
    return query
    select
        e.key, e.name, e.status, e.hash_basis, e.start_at, e.stop_at,
        (select count(*)::integer from awf.experiment_variations as v where v.experiment_key = e.key),
        e.created_at, e.updated_at, awf._experiment_state(e.status, e.start_at, e.stop_at, awf._now()), e.phase,
        awf._present_coverage(e.id), (select l.key from awf.layers as l where l.id = e.layer_id), e.owner, e.tags, e.revision
    from awf.experiments as e
    where p_status is null or e.status = p_status
    order by e.key;
end;
$$;
comment on function awf.list_experiments(text) is
'All experiments by key, or those of one status (draft, running, stopped). state, phase and coverage are as in get_experiment().
Errors: WF001 (no such status).
Example: SELECT key, state FROM awf.list_experiments(''running'');';
