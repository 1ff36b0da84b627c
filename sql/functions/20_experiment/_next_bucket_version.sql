-- The version that the sticky assignments of a new experiment begin with.
-- Called by create_experiment().
-- Costs one lookup in variation_ids.
create or replace function awf._next_bucket_version(p_key text)
returns integer
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Clients and games keep sticky assignments by key. Each phase moves the version by one at most, so this one is above all
    -- that deleted experiments of the same key have had.
    return (
        select coalesce(sum(d.phases), 0)
        from (
            select max(v.phase) as phases from awf.variation_ids as v where v.experiment_key = p_key group by v.experiment_id
        ) as d
    );
end;
$$;
comment on function awf._next_bucket_version(text) is '0, or a version that no deleted experiment of the key has had.';
