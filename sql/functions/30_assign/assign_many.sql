-- The variations of one experiment for many units.
-- Called by analysts, for whole populations.
-- Costs 5 to 6 us for a UUID, about twice that for a player hash in a layer.
create or replace function awf.assign_many(
    p_key text,
    p_units text[],
    p_attributes jsonb default '{}',
    p_at timestamptz default null,
    p_opted_in boolean default null
)
returns table (unit_id text, variation_key text)
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._find_experiment(p_key);
    v_experiment constant jsonb := awf._experiment_config(v_id);
begin
    perform awf._require_safe_owner();
    perform awf._check_attributes(p_attributes);
    if v_experiment ->> 'hashBasis' = 'player' then
        perform awf._check_player_hash(u.unit_id)
        from unnest(p_units) as u (unit_id)
        where not awf._is_player_hash(u.unit_id);
    end if;
    return query
    select a.unit_id, a.variation_key
    from awf._assign_units(v_experiment, v_id, p_units, p_attributes, coalesce(p_at, awf._now()), p_opted_in) as a;
end;
$$;
comment on function awf.assign_many(text, text[], jsonb, timestamptz, boolean) is
'One row for each element of p_units, in their order: the unit and the key of the variation that assign() gives it, NULL when it is out.
p_units: session ids or player hashes, as the experiment''s hash basis says; NULL and the empty text are out. NULL or no units: no rows.
p_attributes, p_at, p_opted_in: as in assign(), the same for all units.
Errors: WF101 (no such experiment), WF001 (a player hash that is none, attributes that are no object).
Example: SELECT variation_key, count(*) FROM awf.assign_many(''token-budget-test'', ARRAY[''s-1'', ''s-2'', ''s-3'']) GROUP BY 1;';
