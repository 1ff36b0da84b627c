-- Gives the variations of an experiment numbers of its present phase.
-- Called by open_phase().
-- Writes two rows a variation.
create or replace function awf._number_variations(p_id bigint)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    with numbered as (
        insert into awf.variation_ids (experiment_id, experiment_key, phase, variation_key)
        select e.id, e.key, e.phase, v.variation_key
        from awf.experiments as e
        inner join awf.experiment_variations as v on e.key = v.experiment_key
        where e.id = p_id
        order by v.id
        on conflict (experiment_id, phase, variation_key) do update set experiment_key = excluded.experiment_key
        returning id, experiment_key, variation_key
    )
    update awf.experiment_variations as v set id = n.id
    from numbered as n
    where v.experiment_key = n.experiment_key and v.variation_key = n.variation_key;
end;
$$;
comment on function awf._number_variations(bigint) is
'Writes variation_ids for the phase, and the numbers into experiment_variations.';
