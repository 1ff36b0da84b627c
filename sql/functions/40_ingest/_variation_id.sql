-- The number that a variation had at a moment: each phase of an experiment numbers its variations anew.
-- Called when variations are named by key.
-- Costs three lookups.
create or replace function awf._variation_id(p_experiment_key text, p_variation_key text, p_ts timestamptz)
returns integer
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Not from experiment_variations: an event of an earlier phase may come when its variation is gone from there.
    return (
        select v.id
        from awf.experiments as e
        inner join awf.variation_ids as v on e.id = v.experiment_id
        where e.key = p_experiment_key
            and v.variation_key = p_variation_key
            and v.phase = coalesce(
                (
                    select p.phase from awf.experiment_phases as p
                    where p.experiment_id = e.id and p.start_at <= p_ts
                    order by p.start_at desc
                    limit 1
                ),
                (select min(p.phase) from awf.experiment_phases as p where p.experiment_id = e.id),
                e.phase
            )
    );
end;
$$;
comment on function awf._variation_id(text, text, timestamptz) is
'Number (variation_ids) of the variation in the phase in force at the moment; in the first phase for an earlier one. NULL when
that phase has no such variation.';
