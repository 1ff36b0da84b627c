-- The sticky assignments of a turn's session and player, from the exposures.
-- Called by assign(), turn_params() and explain_assignment().
-- Costs an index lookup for each sticky experiment.
create or replace function awf._sticky_of(
    p_session_id text, p_player_hash text, p_at timestamptz, p_experiment_id bigint default null
)
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select coalesce(jsonb_object_agg(awf._sticky_key(e.key, k.bucket_version), k.variation_key), '{}')
        from awf.experiments as e
        cross join lateral awf._kept_variations(
            e.id, array[case e.hash_basis when 'player' then p_player_hash else p_session_id end], p_at
        ) as k
        where e.sticky and e.id = coalesce(p_experiment_id, e.id)
    );
end;
$$;
comment on function awf._sticky_of(text, text, timestamptz, bigint) is
'{"<experiment>__<bucket version>": variation, ...} for one experiment or all.';
