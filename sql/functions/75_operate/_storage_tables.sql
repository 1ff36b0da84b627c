-- Sizes of everything in schema awf: each table, the events as one, and each day of them.
-- Called by storage_report().
-- Costs a look at the files of every table.
create or replace function awf._storage_tables()
returns table (
    kind text, name text, day date, rows bigint, heap_bytes bigint, index_bytes bigint, total_bytes bigint, detail text
)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    with sizes as (
        select
            c.oid, c.relname::text as name, x.day, x.attached, nullif(c.reltuples, -1)::bigint as rows,
            pg_table_size(c.oid) as heap_bytes, pg_indexes_size(c.oid) as index_bytes, pg_total_relation_size(c.oid) as total_bytes
        from pg_catalog.pg_class as c
        left join awf._event_tables() as x on c.oid = x.relation
        where c.relnamespace = to_regnamespace('awf') and c.relkind in ('r', 'm')
    ),

    days as (
        select
            s.*,
            -- A closed day was counted by the rollups; what VACUUM knows is an estimate.
            coalesce((
                select sum(t.n[1])::bigint
                from awf.daily_totals as t
                where t.variation_id = 0 and t.day = s.day
            ), s.rows) as events
        from sizes as s
        where s.day is not null
    ),

    tables as (
        select s.name, s.rows, s.heap_bytes, s.index_bytes, s.total_bytes, null as detail
        from sizes as s
        where s.day is null
        union all
        select
            'turn_events', sum(d.events)::bigint, coalesce(sum(d.heap_bytes), 0)::bigint, coalesce(sum(d.index_bytes), 0)::bigint,
            coalesce(sum(d.total_bytes), 0)::bigint, format('partitions: %s', count(*))
        from days as d
    )

    select 'total', 'awf', null::date, null::bigint, sum(t.heap_bytes)::bigint, sum(t.index_bytes)::bigint, sum(t.total_bytes)::bigint, null
    from tables as t
    union all
    (
        select 'table', t.name, null, t.rows, t.heap_bytes, t.index_bytes, t.total_bytes, t.detail
        from tables as t
        order by t.total_bytes desc, t.name
    )
    union all
    (
        select
            'partition', d.name, d.day, d.events, d.heap_bytes, d.index_bytes, d.total_bytes,
            case when not d.attached then 'detached' end
        from days as d
        order by d.day
    );
end;
$$;
comment on function awf._storage_tables() is
'Rows and sizes: a row "total", a row "table" for each table (turn_events with all its days), a row "partition" for each day (UTC).';
