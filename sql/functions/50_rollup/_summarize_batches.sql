-- Brings the indexes that find the events of a batch up to date: the next refresh reads its own events and no earlier ones.
-- Called by refresh_rollups() for the days of its claim, as the last thing.
-- Costs one read of the pages that are new; passes a partition over that is being vacuumed, which does the same.
create or replace function awf._summarize_batches(p_days date[])
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $$
declare
    v_index regclass;
begin
    for v_index in
        select i.indexrelid
        from unnest(p_days) as d (day)
        inner join pg_catalog.pg_index as i on i.indrelid = awf._partition_of(d.day)
        inner join pg_catalog.pg_inherits as h on h.inhrelid = i.indexrelid and h.inhparent = 'awf.turn_events_batch'::regclass
        order by d.day
    loop
        begin
            perform brin_summarize_new_values(v_index);
        exception
            when lock_not_available or insufficient_privilege then
                null;
        end;
    end loop;
end;
$$;
comment on function awf._summarize_batches(date[]) is 'Summarises the new pages of the days'' partitions in the index turn_events_batch.';
