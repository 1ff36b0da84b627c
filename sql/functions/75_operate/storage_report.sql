-- What schema awf takes, how it grows, and whether its upkeep is in order.
-- Called by readers and the CLI.
-- Costs a look at the files of every table: some milliseconds for a hundred partitions.
create or replace function awf.storage_report(p_days_ahead integer default 30)
returns table (
    kind text, name text, day date, rows bigint, heap_bytes bigint, index_bytes bigint, total_bytes bigint, bytes_per_row numeric,
    detail text
)
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_sizes jsonb;
begin
    if p_days_ahead is null or p_days_ahead not between 0 and 36500 then
        raise exception using
            errcode = 'WF001',
            message = format('a forecast cannot look %s days ahead', coalesce(p_days_ahead::text, 'NULL')),
            hint = 'Give 0 to 36500 days.';
    end if;
    v_sizes := (select jsonb_agg(to_jsonb(s) order by s.place) from awf._storage_tables() with ordinality as s (
        kind, name, day, rows, heap_bytes, index_bytes, total_bytes, detail, place
    ));
    return query
    select
        r.kind, r.name, r.day, r.rows, r.heap_bytes, r.index_bytes, r.total_bytes,
        round(r.total_bytes::numeric / nullif(greatest(r.rows, 0), 0), 1), r.detail
    from (
        select
            1 as part, s.place, s.item ->> 'kind' as kind, s.item ->> 'name' as name, (s.item ->> 'day')::date as day,
            (s.item ->> 'rows')::bigint as rows, (s.item ->> 'heap_bytes')::bigint as heap_bytes,
            (s.item ->> 'index_bytes')::bigint as index_bytes, (s.item ->> 'total_bytes')::bigint as total_bytes,
            s.item ->> 'detail' as detail
        from jsonb_array_elements(v_sizes) with ordinality as s (item, place)
        union all
        select 2, f.place, f.kind, f.name, f.day, f.rows, null, null, f.total_bytes, f.detail
        from awf._storage_forecast(v_sizes, p_days_ahead) with ordinality as f (kind, name, day, rows, total_bytes, detail, place)
        union all
        select 3, u.place, u.kind, u.name, null, u.rows, null, null, null, u.detail
        from awf._storage_upkeep() with ordinality as u (kind, name, rows, detail, place)
    ) as r
    order by r.part, r.place;
end;
$$;
comment on function awf.storage_report(integer) is
'The storage of schema awf, a row for each thing, by kind: total; table (the largest first; turn_events with all its days); partition (a
day of events, UTC); growth (events and bytes a day, of the last week before today); forecast (bytes p_days_ahead days from now, at that
growth and with what retention drops until then); autovacuum (an often-updated table with its settings; rows: dead ones); locks (rows: how
many locks a question without a time range takes, of those that max_locks_per_transaction gives). Rows of tables are estimates, rows of
days are what the rollups count. heap_bytes includes TOAST.
Errors: WF001 (p_days_ahead).
Example: SELECT * FROM awf.storage_report() WHERE kind = ''table'';';
