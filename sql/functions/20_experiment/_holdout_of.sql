-- The share of the units that a layer holds out at present.
-- Called by list_layers() and _layer_document().
-- Costs one lookup.
create or replace function awf._holdout_of(p_id integer)
returns numeric
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return coalesce(
        (
            select trim_scale((upper(c.slots) - lower(c.slots)) / 1000.0)
            from awf.layer_claims as c
            where c.layer_id = p_id and c.experiment_id is null and upper_inf(c.in_force)
        ),
        0
    );
end;
$$;
comment on function awf._holdout_of(integer) is 'Share from 0 to 1.';
