-- Shows who holds which slots of a layer, now and as planned.
-- Called by readers, admins and the CLI.
-- Costs a scan of the layer's claims.
create or replace function awf.layer_map(p_key text)
returns table (low integer, high integer, holder text, experiment_key text, from_at timestamptz, to_at timestamptz)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant integer := awf._find_layer(p_key);
begin
    return query
    select m.low, m.high, m.holder, m.experiment_key, m.from_at, m.to_at
    from (
        select
            (lower(c.slots) - v_id * 1000::bigint)::integer as low, (upper(c.slots) - v_id * 1000::bigint)::integer as high,
            case when c.experiment_id is null then 'holdout' else 'experiment' end as holder, e.key as experiment_key,
            lower(c.in_force) as from_at, upper(c.in_force) as to_at
        from awf.layer_claims as c
        left join awf.experiments as e on c.experiment_id = e.id
        where c.layer_id = v_id and coalesce(upper(c.in_force) > awf._now(), true)
        union all
        select lower(f.slots), upper(f.slots), 'free', null, null, null
        from unnest(awf._free_slots(v_id, tstzrange(awf._now(), null))) as f (slots)
    ) as m
    order by m.low, m.from_at;
end;
$$;
comment on function awf.layer_map(text) is
'The slots [low, high) of a layer, 0 to 1000, in their order. holder: experiment, holdout, or free (nobody holds them now or
has planned to). from_at and to_at say when they are held; to_at is NULL where there is no end. A draft holds none.
Errors: WF117 (no such layer).
Example: SELECT low, high, holder, experiment_key FROM awf.layer_map(''budgets'');';
