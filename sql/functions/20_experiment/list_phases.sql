-- Lists the timeline of an experiment with the split of each stretch.
-- Called by readers, admins and the CLI.
-- Costs a walk over the timeline.
create or replace function awf.list_phases(p_key text)
returns table (
    phase integer, start_at timestamptz, end_at timestamptz, running boolean, coverage double precision, variation_key text,
    percent numeric, low double precision, high double precision
)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant bigint := awf._find_experiment(p_key);
begin
    return query
    select
        p.phase, p.start_at, p.end_at, p.running, p.coverage, a.entry ->> 'variation', (a.entry -> 'percent')::numeric,
        (p.ranges -> (a.place - 1)::integer -> 0)::double precision, (p.ranges -> (a.place - 1)::integer -> 1)::double precision
    from (
        select t.*, lead(t.start_at) over (order by t.start_at) as end_at
        from awf.experiment_phases as t
        where t.experiment_id = v_id
    ) as p
    left join lateral jsonb_array_elements(p.allocations) with ordinality as a (entry, place) on p.running
    order by p.start_at, a.place;
end;
$$;
comment on function awf.list_phases(text) is
'What assigned when, oldest first: a row for each stretch of time and variation, with the expected percent of the units that take part
and the range [low, high) of the hash. end_at is NULL for the last; a start_at in the future is planned. Where running is false nobody
is in, and there is one row without a variation. An experiment that never started has none.
Errors: WF101 (no such experiment).
Example: SELECT phase, start_at, coverage, variation_key, percent FROM awf.list_phases(''token-budget-test'');';
