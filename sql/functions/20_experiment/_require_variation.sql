-- Refuses a variation key that the experiment does not have.
-- Called by update_variation() and delete_variation().
-- Costs one lookup.
create or replace function awf._require_variation(p_experiment_key text, p_variation_key text)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (
        select from awf.experiment_variations as v
        where v.experiment_key = p_experiment_key and v.variation_key = p_variation_key
    ) then
        raise exception using
            errcode = 'WF102',
            message = format(
                'experiment "%s" has no variation "%s"', p_experiment_key, coalesce(p_variation_key, 'NULL')
            ),
            hint = 'Variations: ' || coalesce(
                (
                    select string_agg(v.variation_key, ', ' order by v.id)
                    from awf.experiment_variations as v
                    where v.experiment_key = p_experiment_key
                ),
                'none yet'
            ) || '.';
    end if;
end;
$$;
comment on function awf._require_variation(text, text) is 'Raises WF102 when the experiment has no such variation.';
