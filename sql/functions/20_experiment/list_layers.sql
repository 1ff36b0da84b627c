-- Lists the layers.
-- Called by readers, admins and the CLI.
-- Costs a scan of the layers and their claims.
create or replace function awf.list_layers()
returns table (
    key text, hash_basis text, description text, holdout numeric, experiments integer, free_slots integer, created_at timestamptz
)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        l.key, l.hash_basis, l.description, awf._holdout_of(l.id),
        (select count(*)::integer from awf.experiments as e where e.layer_id = l.id),
        (
            select coalesce(sum(upper(f.slots) - lower(f.slots)), 0)::integer
            from unnest(awf._free_slots(l.id, tstzrange(awf._now(), null))) as f (slots)
        ),
        l.created_at
    from awf.layers as l
    order by l.key;
end;
$$;
comment on function awf.list_layers() is
'All layers by key. holdout: share that is kept out of its experiments; experiments: how many refer to it, drafts too; free_slots: how
many of its 1,000 slots nobody holds now or has planned to hold.
Example: SELECT key, free_slots FROM awf.list_layers();';
