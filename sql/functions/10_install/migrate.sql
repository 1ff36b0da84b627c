-- Creates and upgrades the tables and views: runs the storage steps that the ledger lacks, then rebuilds the views.
-- Called by the owner of the functions after every installation or update.
-- Locks: the ledger (before there is one: an advisory lock) for the whole transaction; each step locks what it changes.
create or replace function awf.migrate()
returns table (step integer, name text)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set standard_conforming_strings = on
as $$
#variable_conflict use_column
declare
    v_step record;
    v_view record;
begin
    -- The steps and views are constants of the installed code.
    -- @plpgsql_check_options: security_warnings = off
    perform awf._require_owner();
    perform awf._require_safe_owner();
    if to_regclass('awf.schema_steps') is null then
        perform pg_advisory_xact_lock(hashtext('awf.migrate'));
    else
        lock table awf.schema_steps in share row exclusive mode;
    end if;
    for v_step in select s.step, s.name, s.sha256, s.body from awf._storage_steps() as s order by s.step loop
        continue when awf._step_done(v_step.step, v_step.sha256);
        execute v_step.body;
        insert into awf.schema_steps (step, name, sha256, version)
        values (v_step.step, v_step.name, v_step.sha256, awf.version());
        step := v_step.step;
        name := v_step.name;
        return next;
    end loop;
    for v_view in select v.body from awf._view_scripts() as v order by v.name loop
        execute v_view.body;
    end loop;
    perform awf._protect_partition(c.inhrelid::regclass)
    from pg_catalog.pg_inherits as c
    where c.inhparent = 'awf.turn_events'::regclass;
    perform awf._apply_grants();
end;
$$;
comment on function awf.migrate() is
'Creates or upgrades the tables and views of schema awf. Returns the storage steps it ran: none when all is up to date.
Run it as the role that owns the functions, after CREATE EXTENSION, ALTER EXTENSION ... UPDATE or the plain install script.
Errors: WF402 (not the owner), WF401 (the owner is a superuser), WF106 (a step in the ledger differs from the code).
Example: SELECT * FROM awf.migrate();';
