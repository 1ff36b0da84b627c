-- Gives a partition its guard and its rights: writers may INSERT the event columns, nobody may do anything else.
-- Called for a new partition, at every migration and when roles change.
-- Locks the partition (SHARE ROW EXCLUSIVE) only where the guard is missing.
create or replace function awf._protect_partition(p_partition regclass)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_there constant name[] := array(select t.tgname from pg_catalog.pg_trigger as t where t.tgrelid = p_partition);
    v_writer name;
begin
    if 'guard_copy' <> all (v_there) then
        execute format(
            'create trigger guard_copy before insert on %s for each statement execute function awf._guard_copy()', p_partition
        );
    end if;
    if 'guard_copied' <> all (v_there) then
        execute format(
            'create trigger guard_copied after insert on %s for each statement execute function awf._guard_copy()', p_partition
        );
    end if;
    for v_writer in select distinct g.role_name from awf.role_grants as g where g.kind in ('writer', 'admin') loop
        execute format('grant insert (%s) on %s to %I', awf._copy_columns(), p_partition, v_writer);
    end loop;
end;
$$;
comment on function awf._protect_partition(regclass) is 'Makes the guard triggers and the writers'' column grants of a partition.';
