-- Puts another holdout in the place of a layer's present one.
-- Called by create_layer() and set_holdout().
-- Writes up to two rows.
create or replace function awf._write_holdout(p_layer_id integer, p_share numeric)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_from timestamptz;
begin
    if p_share is null or p_share not between 0 and 1 or p_share * 1000 % 1 <> 0 then
        raise exception using
            errcode = 'WF001',
            message = format(
                'the holdout of layer "%s" cannot be %s', (select l.key from awf.layers as l where l.id = p_layer_id),
                coalesce(left(p_share::text, 100), 'NULL')
            ),
            hint = 'It is a share from 0 to 1 in steps of 0.001.';
    end if;
    -- Not before the beginning of the present one: a transaction that began later than this one may have written that.
    select greatest(awf._now(), max(lower(c.in_force))) into v_from
    from awf.layer_claims as c
    where c.layer_id = p_layer_id and c.experiment_id is null;
    delete from awf.layer_claims as c
    where c.layer_id = p_layer_id and c.experiment_id is null and lower(c.in_force) >= v_from;
    update awf.layer_claims as c set in_force = tstzrange(lower(c.in_force), v_from)
    where c.layer_id = p_layer_id and c.experiment_id is null and upper_inf(c.in_force);
    if p_share > 0 then
        perform awf._claim_slots(
            p_layer_id, null, int4range((1000 - p_share * 1000)::integer, 1000), tstzrange(v_from, null)
        );
    end if;
end;
$$;
comment on function awf._write_holdout(integer, numeric) is
'Claims the top slots of the layer for nobody; raises WF001 (no such share) or WF115 (an experiment holds some of them).';
