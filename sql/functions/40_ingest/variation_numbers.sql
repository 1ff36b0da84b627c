-- The numbers of variations at all times: one for each phase of their experiments.
-- Called by clients before a direct COPY of events that name variations by key.
-- Costs a few lookups for each variation and phase.
create or replace function awf.variation_numbers(p_variations text[])
returns table (variation text, from_at timestamptz, id integer)
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform awf._require_safe_owner();
    return query
    select t.value, s.from_at, awf._variation_id(k.experiment, k.variation, coalesce(s.from_at, '-infinity'))
    from (select distinct u.value from unnest(p_variations) as u (value)) as t
    cross join lateral (
        select split_part(t.value, '/', 1) as experiment, substring(t.value from position('/' in t.value) + 1) as variation
    ) as k
    inner join awf.experiments as e on k.experiment = e.key
    cross join lateral (
        select null::timestamptz as from_at
        union all
        select min(p.start_at)
        from awf.experiment_phases as p
        where p.experiment_id = e.id
        group by p.phase
    ) as s
    order by t.value collate "C", s.from_at nulls first;
end;
$$;
comment on function awf.variation_numbers(text[]) is
'Numbers of variations, given as texts "experiment/variation": an event carries the one of the last row whose from_at is not later
than its ts. from_at is the beginning of a phase, NULL in the first row of each variation; id is NULL where a phase has no such
variation. No rows for an experiment that does not exist.
Example: SELECT variation, from_at, id FROM awf.variation_numbers(ARRAY[''token-budget-test/control'']);';
