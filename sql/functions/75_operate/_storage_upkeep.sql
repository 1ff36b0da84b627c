-- How the often-updated tables are vacuumed, and how many locks the partitions can ask for.
-- Called by storage_report().
-- Costs a scan of the catalogue and of the statistics.
create or replace function awf._storage_upkeep()
returns table (kind text, name text, rows bigint, detail text)
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_locks bigint;
    v_room bigint;
begin
    return query
    select
        'autovacuum', c.relname::text, s.n_dead_tup,
        format(
            '%s; updated %s, of them in place %s, deleted %s; last vacuum %s',
            coalesce(array_to_string(c.reloptions, ', '), 'no settings of its own'), s.n_tup_upd, s.n_tup_hot_upd, s.n_tup_del,
            coalesce(to_char(greatest(s.last_autovacuum, s.last_vacuum) at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'), 'never')
        )
    from pg_catalog.pg_class as c
    inner join pg_catalog.pg_stat_all_tables as s on c.oid = s.relid
    where c.relnamespace = to_regnamespace('awf') and c.relkind = 'r' and not c.relispartition
        and (c.reloptions is not null or s.n_tup_upd + s.n_tup_del > 10000)
    order by c.relname;
    v_locks := (
        select count(*) + sum((select count(*) from pg_catalog.pg_index as i where i.indrelid = c.oid))
        from pg_catalog.pg_class as c
        where c.oid = to_regclass('awf.turn_events')
            or c.oid in (select h.inhrelid from pg_catalog.pg_inherits as h where h.inhparent = to_regclass('awf.turn_events'))
    );
    v_room := current_setting('max_locks_per_transaction')::bigint
        * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint);
    kind := 'locks';
    name := 'turn_events';
    rows := v_locks;
    detail := format('of %s that the whole server has room for: what a question without a time range locks', v_room)
        || case
            when v_locks > v_room / 4 then '; raise max_locks_per_transaction, or keep events for fewer days'
            else ''
        end;
    return next;
end;
$$;
comment on function awf._storage_upkeep() is
'Rows "autovacuum" (rows: dead ones) for tables with settings of their own or many changes, and "locks" (rows: locks of an unpruned query).';
