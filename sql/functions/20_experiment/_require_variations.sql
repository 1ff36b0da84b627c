-- Refuses allocations that name a variation which does not exist.
-- Called at the start of an experiment and when its allocations change.
-- Costs one join of small tables.
create or replace function awf._require_variations(p_key text, p_errcode text)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_missing constant text := (
        select string_agg(format('"%s"', a.entry ->> 'variation'), ', ' order by a.entry ->> 'variation')
        from awf.experiments as e
        cross join lateral jsonb_array_elements(e.allocations) as a (entry)
        where e.key = p_key and not exists (
            select from awf.experiment_variations as v
            where v.experiment_key = e.key and v.variation_key = a.entry ->> 'variation'
        )
    );
begin
    if v_missing is not null then
        raise exception using
            errcode = p_errcode,
            message = format('experiment "%s" allocates units to missing variations: %s', p_key, v_missing),
            hint = 'Create the variation with awf.create_variation() (awf-pg variation add) first.';
    end if;
end;
$$;
comment on function awf._require_variations(text, text) is 'Raises the given error code when an allocated variation does not exist.';
