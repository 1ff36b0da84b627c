-- Whether an assignment under an older version keeps a unit out of a phase.
-- Called by _decide().
-- Costs one lookup for each excluded version.
create or replace function awf._is_blocked(p_experiment_key text, p_min_bucket_version integer, p_sticky jsonb)
returns boolean
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return exists (
        select from generate_series(0, p_min_bucket_version - 1) as b (version)
        where p_sticky ? awf._sticky_key(p_experiment_key, b.version)
    );
end;
$$;
comment on function awf._is_blocked(text, integer, jsonb) is 'Whether there is an assignment under a version below the minimum.';
