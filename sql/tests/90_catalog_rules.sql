-- Rules that the whole schema keeps, read from the catalogue. Each is shown to find what breaks it, which is then undone.
begin;
select plan(98);

set local client_min_messages = 'warning';
select awf.create_roles();
set local role awf_owner;
create or replace function awf._now() returns timestamptz language sql stable parallel safe
return timestamptz '2025-02-01 12:00:00+00';
reset role;
create role pgtap_writer;
create role pgtap_other;
select awf.grant_usage('pgtap_writer', 'writer');
select b.table_name from awf.open_batch('2025-01-15', 0) as b;
select b.table_name from awf.open_batch('2025-01-16', 0) as b;

-- What a rule finds once a statement has broken it.
create function pg_temp.found(p_rule text, p_statement text)
returns text
language plpgsql
as $$
declare
    v_found text;
begin
    begin
        execute p_statement;
        execute format('select string_agg(r, %L order by r) from pg_temp.%I() as r', '; ', p_rule) into v_found;
        raise exception using errcode = 'UNDO0';
    exception
        when sqlstate 'UNDO0' then
            return v_found;
    end;
end;
$$;
create temporary view tables as
select
    c.oid,
    c.relname::text as name,
    c.relispartition,
    c.relrowsecurity,
    c.relforcerowsecurity,
    c.relacl,
    c.relowner
from pg_class as c
where c.relnamespace = 'awf'::regnamespace and c.relkind in ('r', 'p');
create temporary view functions as
select
    p.oid,
    p.proname,
    p.proowner,
    p.proacl,
    p.prosecdef,
    p.prokind,
    p.proconfig,
    p.prosrc,
    p.prosqlbody,
    p.pronargs,
    p.proargnames,
    p.proargmodes,
    p.proallargtypes
from pg_proc as p
where p.pronamespace = 'awf'::regnamespace;

-- Definers.
create function pg_temp.definers()
returns setof text
language sql
as $$
    select coalesce('not listed: ' || f.proname, 'not there: ' || d.function_name)
    from (select p.proname from functions as p where p.prosecdef) as f
    full join awf._definers() as d on f.proname = d.function_name
    where f.proname is null or d.function_name is null
$$;
select is_empty('select pg_temp.definers()', 'the definers are exactly those of the list');
select is(
    pg_temp.found('definers', 'alter function awf.list_experiments(text) security definer'), 'not listed: list_experiments',
    'the rule finds a definer that is not listed'
);
select is(
    pg_temp.found('definers', 'alter function awf.record_turn(jsonb) security invoker'), 'not there: record_turn',
    'and a listed one that is none'
);
select is_empty($$select function_name from awf._definers() where reason = ''$$, 'each has a reason');

create function pg_temp.unsafe_definers()
returns setof text
language sql
as $$select p.proname from functions as p where p.prosecdef and p.prosrc !~ 'perform awf\._require_safe_owner\(\);'$$;
select is_empty('select pg_temp.unsafe_definers()', 'every definer checks that its owner is no superuser');
select is(
    pg_temp.found('unsafe_definers', 'alter function awf._touch_row() security definer'), '_touch_row',
    'the rule finds one that does not'
);

create function pg_temp.two_readings()
returns setof text
language sql
as $$
    select p.proname
    from functions as p
    where p.proname <> '_storage_steps' -- migrate() runs them
        and regexp_replace(p.prosrc, $r$\m[eE]'([^'\\]|\\.)*'$r$, '', 'g') like e'%\\\\%'
        and p.proconfig::text not like '%standard_conforming_strings=on%'
$$;
select is_empty(
    'select pg_temp.two_readings()',
    'a backslash stands in e'''', or the function sets standard_conforming_strings: a session may turn it off'
);
select is(
    pg_temp.found(
        'two_readings',
        $s$create function awf._bad() returns boolean language plpgsql set search_path = pg_catalog
        as 'begin return ''a'' ~ ''\w''; end'$s$
    ), '_bad', 'the rule finds one that does not'
);

create function pg_temp.loose_paths()
returns setof text
language sql
as $$
    select p.proname
    from functions as p
    where p.prokind <> 'a' and (p.prosecdef or p.prosqlbody is null)
        and not coalesce(p.proconfig, '{}') @> array['search_path=pg_catalog, pg_temp']
$$;
select is_empty(
    'select pg_temp.loose_paths()', 'every definer and every function with a text body has the search path pg_catalog, pg_temp'
);
select
    is(
        pg_temp.found('loose_paths', l.statement), l.found, 'the rule finds ' || l.what
    )
from (
    values
    ('alter function awf.record_turn(jsonb) reset search_path', 'record_turn', 'a definer without a path'),
    ('alter function awf.record_turn(jsonb) set search_path = pg_catalog, awf', 'record_turn', 'one with another path'),
    ('alter function awf.record_turn(jsonb) set search_path = pg_temp, pg_catalog', 'record_turn', 'one in another order'),
    (
        'create function awf.loose() returns void language plpgsql as $f$begin end;$f$',
        'loose',
        'a PL/pgSQL function without a path'
    ),
    ('create function awf.loose() returns integer language sql as $f$select 1$f$', 'loose', 'an SQL function with a text body'),
    (
        'create function awf.loose() returns integer language sql security definer return 1', 'loose',
        'a definer with a body of its own'
    )
) as l (statement, found, what);
select is(
    pg_temp.found('loose_paths', 'create function awf.fine() returns integer language sql return 1'), null,
    'and leaves a function with a RETURN body alone'
);

-- PUBLIC.
create function pg_temp.public_rights()
returns setof text
language sql
as $$
    select format('%s on function %s', x.privilege_type, p.proname)
    from functions as p
    cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as x
    where x.grantee = 0
    union all
    select format('%s on %s', x.privilege_type, c.relname)
    from pg_class as c
    cross join lateral aclexplode(c.relacl) as x
    where c.relnamespace = 'awf'::regnamespace and x.grantee = 0
    union all
    select format('%s on column %s of %s', x.privilege_type, a.attname, c.relname)
    from pg_class as c
    inner join pg_attribute as a on a.attrelid = c.oid
    cross join lateral aclexplode(a.attacl) as x
    where c.relnamespace = 'awf'::regnamespace and x.grantee = 0
    union all
    select format('%s on schema awf', x.privilege_type)
    from pg_namespace as n
    cross join lateral aclexplode(n.nspacl) as x
    where n.nspname = 'awf' and x.grantee = 0
$$;
select is_empty('select pg_temp.public_rights()', 'PUBLIC may do nothing');
select is(pg_temp.found('public_rights', v.statement), v.found, 'the rule finds a right of PUBLIC: ' || v.found)
from (
    values
    ('grant execute on function awf.version() to public', 'EXECUTE on function version'),
    ('create function awf.fresh() returns integer language sql return 1', 'EXECUTE on function fresh'),
    ('grant select on awf.knobs to public', 'SELECT on knobs'),
    ('grant select (name) on awf.knobs to public', 'SELECT on column name of knobs'),
    ('grant insert on awf.analytics_events to public', 'INSERT on analytics_events'),
    ('grant usage on sequence awf.refresh_id_seq to public', 'USAGE on refresh_id_seq'),
    ('grant usage on schema awf to public', 'USAGE on schema awf')
) as v (statement, found);

-- Comments.
create function pg_temp.uncommented()
returns setof text
language sql
as $$
    select 'function ' || p.proname from functions as p where coalesce(obj_description(p.oid, 'pg_proc'), '') = ''
    union all
    select c.relname
    from pg_class as c
    where c.relnamespace = 'awf'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
        and coalesce(obj_description(c.oid, 'pg_class'), '') = ''
    union all
    select format('%s.%s', c.relname, a.attname)
    from pg_class as c
    inner join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = 'awf'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
        and coalesce(col_description(c.oid, a.attnum), '') = ''
$$;
select is_empty('select pg_temp.uncommented()', 'every function, table, view and column has a comment');
select is(pg_temp.found('uncommented', v.statement), v.found, 'the rule finds what has no comment: ' || v.found)
from (
    values
    ('comment on function awf.version() is null', 'function version'),
    ('comment on function awf.version() is ''''', 'function version'),
    ('comment on table awf.knobs is null', 'knobs'),
    ('comment on column awf.knobs.name is null', 'knobs.name'),
    ('comment on view awf.daily_rollups is null', 'daily_rollups'),
    ('comment on column awf.daily_rollups.day is null', 'daily_rollups.day'),
    ('alter table awf.knobs add column more text', 'knobs.more'),
    ('create function awf._fresh() returns integer language sql return 1', 'function _fresh'),
    ('create materialized view awf.fresh as select 1 as x', 'fresh; fresh.x')
) as v (statement, found);

-- Row security.
create function pg_temp.open_tables()
returns setof text
language sql
as $$
    select 'no row security: ' || t.name from tables as t where not t.relispartition and not t.relrowsecurity
    union all
    -- FORCE breaks the owner's pg_dump.
    select 'forced row security: ' || t.name from tables as t where t.relforcerowsecurity
    union all
    select 'no policy: ' || t.name
    from tables as t
    where not t.relispartition and t.name not in ('player_hash_key', 'erasure_key')
        and not exists (select from pg_policy as p where p.polrelid = t.oid and p.polname = 'readers')
    union all
    select format('policy %s on %s', p.polname, t.name)
    from tables as t
    inner join pg_policy as p on p.polrelid = t.oid
    where p.polname <> 'readers' or p.polcmd <> 'r' or not p.polpermissive or p.polroles @> array[0::oid]
        or t.name in ('player_hash_key', 'erasure_key')
$$;
select is_empty(
    'select pg_temp.open_tables()',
    'every table has row security and the policy readers for named roles, but the keys, which have none'
);
select is(pg_temp.found('open_tables', v.statement), v.found, 'the rule finds a table that is open: ' || v.found)
from (
    values
    ('alter table awf.knobs disable row level security', 'no row security: knobs'),
    ('create table awf.fresh (x integer)', 'no policy: fresh; no row security: fresh'),
    ('alter table awf.knobs force row level security', 'forced row security: knobs'),
    ('drop policy readers on awf.knobs', 'no policy: knobs'),
    ('create policy writers on awf.knobs for insert to awf_writer with check (true)', 'policy writers on knobs'),
    ('drop policy readers on awf.knobs; create policy readers on awf.knobs using (true)', 'policy readers on knobs'),
    ('alter policy readers on awf.knobs to public', 'policy readers on knobs'),
    ('create policy readers on awf.player_hash_key for select to awf_admin using (true)', 'policy readers on player_hash_key')
) as v (statement, found);
select is_empty(
    $$select x.grantee from pg_class as c cross join lateral aclexplode(c.relacl) as x
    where c.oid in ('awf.player_hash_key'::regclass, 'awf.erasure_key'::regclass) and x.grantee <> c.relowner$$,
    'the keys of the player hash and of the erasures are granted to nobody'
);

-- A right without the policy shows nothing, a policy without the right says nothing: they name the same roles.
create function pg_temp.half_readers()
returns setof text
language sql
as $$
    with rights (name, role_id) as (
        select t.name, t.relowner from tables as t where t.name not in ('player_hash_key', 'erasure_key')
        union
        select t.name, x.grantee from tables as t cross join lateral aclexplode(t.relacl) as x
        where x.privilege_type = 'SELECT' and x.grantee <> t.relowner
        union
        select t.name, x.grantee
        from tables as t
        inner join pg_attribute as a on a.attrelid = t.oid
        cross join lateral aclexplode(a.attacl) as x
        where x.privilege_type = 'SELECT'
    ),

    policies (name, role_id) as (
        select t.name, unnest(p.polroles) from tables as t inner join pg_policy as p on p.polrelid = t.oid
    )

    select format('%s: %s', coalesce(r.name, p.name), coalesce(r.role_id, p.role_id)::regrole)
    from (select r.name, r.role_id from rights as r inner join tables as t on t.name = r.name and not t.relispartition) as r
    full join policies as p on r.name = p.name and r.role_id = p.role_id
    where r.name is null or p.name is null
$$;
select is_empty('select pg_temp.half_readers()', 'the policy of each table names exactly the roles that may select from it');
select is(pg_temp.found('half_readers', v.statement), v.found, 'the rule finds ' || v.what)
from (
    values
    ('grant select on awf.knobs to pgtap_other', 'knobs: pgtap_other', 'a right without a policy'),
    ('grant select (name) on awf.knobs to pgtap_other', 'knobs: pgtap_other', 'a right on a column without a policy'),
    ('revoke select on awf.knobs from awf_reader', 'knobs: awf_reader', 'a policy without a right'),
    ('grant select on awf.player_hash_key to awf_admin', 'player_hash_key: awf_admin', 'a right on the key of the player hash')
) as v (statement, found, what);

-- Views.
create function pg_temp.unsafe_views()
returns setof text
language sql
as $$
    select c.relname
    from pg_class as c
    where c.relnamespace = 'awf'::regnamespace and (
        c.relkind = 'v' and not coalesce(c.reloptions, '{}') @> array['security_invoker=true']
        or c.relkind = 'm' and exists (
            select from aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) as a where a.grantee <> c.relowner
            union all
            select from pg_attribute as a where a.attrelid = c.oid and a.attacl is not null
        )
    )
$$;
select
    is_empty(
        'select pg_temp.unsafe_views()',
        'every view reads with the rights of who asks, or is materialized and private'
    );
select is(pg_temp.found('unsafe_views', v.statement), v.found, 'the rule finds ' || v.what)
from (
    values
    ('create view awf.fresh as select 1 as x', 'fresh', 'a view that reads with its owner''s rights'),
    ('alter view awf.daily_rollups set (security_invoker = false)', 'daily_rollups', 'one that was made so'),
    ('grant select on awf.activity_snapshot to awf_admin', 'activity_snapshot', 'a materialized view that somebody may read'),
    ('grant select (day) on awf.activity_snapshot to awf_admin', 'activity_snapshot', 'one with a column that somebody may read')
) as v (statement, found, what);

-- Partitions.
select is(
    awf._copy_columns(),
    'ts, id, session_id, player_hash, world_id, adventure_id, locale_id, model_id, assignments, failed, turn_latency_us, '
    || 'model_latency_us, bundle_us, bundle_tokens, output_tokens, retries, fallbacks, tool_calls, acts, choices, '
    || 'time_advance_ticks, extra, attributes',
    'the columns that writers may set are the documented ones, in the order of the COPY'
);
create function pg_temp.partition_rights()
returns setof text
language sql
as $$
    select format('%s %s for %s', t.name, x.privilege_type, x.grantee::regrole)
    from tables as t
    cross join lateral aclexplode(t.relacl) as x
    where t.relispartition and x.grantee <> t.relowner
    union all
    select format('%s.%s %s for %s', t.name, a.attname, x.privilege_type, x.grantee::regrole)
    from tables as t
    inner join pg_attribute as a on a.attrelid = t.oid
    cross join lateral aclexplode(a.attacl) as x
    where t.relispartition and x.grantee <> t.relowner and (
        x.privilege_type <> 'INSERT' or x.is_grantable or a.attname <> all (string_to_array(awf._copy_columns(), ', '))
        or not exists (
            select from awf.role_grants as g where g.kind in ('writer', 'admin') and to_regrole(quote_ident(g.role_name)) = x.grantee
        )
    )
    union all
    select format('%s.%s missing for %s', t.name, k.name, g.role_name)
    from tables as t
    cross join unnest(string_to_array(awf._copy_columns(), ', ')) as k (name)
    cross join awf.role_grants as g
    where t.relispartition and g.kind in ('writer', 'admin')
        and not has_column_privilege(g.role_name, t.oid, k.name, 'insert')
    union all
    select 'row security on ' || t.name from tables as t where t.relispartition and t.relrowsecurity
    union all
    select format('no guard %s on %s', m.moment, t.name)
    from tables as t
    cross join (values ('before', 6), ('after', 4)) as m (moment, trigger_type) -- insert, for each statement
    where t.relispartition and not exists (
        select from pg_trigger as g
        where g.tgrelid = t.oid and g.tgfoid = 'awf._guard_copy()'::regprocedure and g.tgenabled in ('O', 'A')
            and g.tgtype = m.trigger_type
    )
$$;
select is((
    select count(*) from tables as t
    where t.relispartition
), 2::bigint, 'there are partitions to look at');
select is_empty(
    'select pg_temp.partition_rights()',
    'nobody has a right on a partition but INSERT on the event columns, which every writer has, and a guard watches it'
);
select is(pg_temp.found('partition_rights', v.statement), v.found, 'the rule finds: ' || v.found)
from (
    values
    ('grant select on awf.turn_events_20250115 to awf_analyst', 'turn_events_20250115 SELECT for awf_analyst'),
    ('grant insert on awf.turn_events_20250115 to awf_writer', 'turn_events_20250115 INSERT for awf_writer'),
    ('grant delete on awf.turn_events_20250115 to public', 'turn_events_20250115 DELETE for -'),
    ('grant insert (batch_id) on awf.turn_events_20250115 to awf_writer', 'turn_events_20250115.batch_id INSERT for awf_writer'),
    ('grant update (ts) on awf.turn_events_20250115 to awf_writer', 'turn_events_20250115.ts UPDATE for awf_writer'),
    ('grant select (ts) on awf.turn_events_20250116 to awf_admin', 'turn_events_20250116.ts SELECT for awf_admin'),
    ('grant insert (ts) on awf.turn_events_20250115 to pgtap_other', 'turn_events_20250115.ts INSERT for pgtap_other'),
    (
        'grant insert (ts) on awf.turn_events_20250115 to awf_writer with grant option',
        'turn_events_20250115.ts INSERT for awf_writer'
    ),
    ('revoke insert (ts) on awf.turn_events_20250116 from pgtap_writer', 'turn_events_20250116.ts missing for pgtap_writer'),
    ('alter table awf.turn_events_20250116 enable row level security', 'row security on turn_events_20250116'),
    ('drop trigger guard_copy on awf.turn_events_20250116', 'no guard before on turn_events_20250116'),
    ('drop trigger guard_copied on awf.turn_events_20250116', 'no guard after on turn_events_20250116'),
    ('alter table awf.turn_events_20250116 disable trigger guard_copy', 'no guard before on turn_events_20250116')
) as v (statement, found);

-- Types, aggregates, defaults.
create function pg_temp.special_types()
returns setof text
language sql
as $$
    select 'type ' || t.typname from pg_type as t where t.typnamespace = 'awf'::regnamespace and t.typtype not in ('c', 'b')
    union all
    select 'aggregate ' || p.proname from functions as p where p.prokind <> 'f' and p.proname <> '_sum'
    union all
    select p.proname || ' calls _sum' from functions as p where p.prosrc like '%awf.\_sum(%' and p.proname !~ '_part$'
    union all
    select format('%s.%s', c.relname, a.attname)
    from pg_class as c
    inner join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    inner join pg_type as t on t.oid = a.atttypid
    where c.relnamespace = 'awf'::regnamespace and c.relkind in ('r', 'p', 'v') and t.typnamespace <> 'pg_catalog'::regnamespace
$$;
select
    is_empty(
        'select pg_temp.special_types()',
        'there are no types, enums, domains or aggregates of our own but _sum, which refreshes alone call'
    );
select is(pg_temp.found('special_types', v.statement), v.found, 'the rule finds: ' || v.found)
from (
    values
    ($$create type awf.mood as enum ('good', 'bad')$$, 'type mood'),
    ('create domain awf.percent as numeric', 'type percent'),
    ('create aggregate awf.total(integer) (sfunc = int4pl, stype = integer)', 'aggregate total'),
    (
        $$create function awf._bad() returns bigint language plpgsql set search_path = pg_catalog, pg_temp
        as 'begin return (select awf._sum(m.id) from awf.metrics as m); end'$$, '_bad calls _sum'
    ),
    (
        $$create type pg_temp.mood as enum ('good', 'bad'); alter table awf.knobs add column mood pg_temp.mood$$, 'knobs.mood'
    )
) as v (statement, found);

create function pg_temp.calls_in_tables()
returns setof text
language sql
as $$
    select distinct format('%s calls %s', pg_describe_object(d.classid, d.objid, 0), p.oid::regprocedure)
    from pg_depend as d
    inner join pg_proc as p on d.refclassid = 'pg_proc'::regclass and d.refobjid = p.oid
    where d.classid in ('pg_attrdef'::regclass, 'pg_constraint'::regclass, 'pg_policy'::regclass)
        and p.pronamespace <> 'pg_catalog'::regnamespace
        and pg_describe_object(d.classid, d.objid, 0) ~ 'awf\.'
$$;
select is_empty(
    'select pg_temp.calls_in_tables()',
    'no default, constraint or policy calls a function that an extension or an update may replace'
);
select
    matches(
        pg_temp.found('calls_in_tables', v.statement), v.found, 'the rule finds one in a ' || v.what
    )
from (
    values
    ('alter table awf.knobs add column made_at timestamptz default awf._now()', 'made_at.* calls awf._now()', 'default'),
    ('alter table awf.knobs add check (awf._is_bound(null::jsonb))', 'knobs calls awf._is_bound', 'constraint'),
    ('alter policy readers on awf.knobs using (awf._now() is not null)', 'readers.* calls awf._now()', 'policy')
) as v (statement, found, what);

-- Ownership.
create function pg_temp.strangers()
returns setof text
language sql
as $$
    with owners (name, owner_id) as (
        select 'schema awf', n.nspowner from pg_namespace as n where n.nspname = 'awf'
        union all
        select 'function ' || p.proname, p.proowner from functions as p
        union all
        select c.relname, c.relowner from pg_class as c where c.relnamespace = 'awf'::regnamespace
        union all
        select 'type ' || t.typname, t.typowner from pg_type as t where t.typnamespace = 'awf'::regnamespace
    )

    select format('%s belongs to %s', o.name, r.rolname)
    from owners as o
    inner join pg_roles as r on o.owner_id = r.oid
    where r.rolsuper or o.owner_id <> (select n.nspowner from pg_namespace as n where n.nspname = 'awf')
$$;
select is_empty('select pg_temp.strangers()', 'everything belongs to one owner, who is no superuser');
select matches(pg_temp.found('strangers', v.statement), v.found, 'the rule finds: ' || v.found)
from (
    values
    ('alter function awf.version() owner to postgres', 'function version belongs to postgres'),
    ('alter function awf.version() owner to pgtap_other', 'function version belongs to pgtap_other'),
    ('create view awf.fresh as select 1 as x', 'fresh belongs to postgres'),
    ('create sequence awf.fresh', 'fresh belongs to postgres'),
    ('alter schema awf owner to postgres', 'schema awf belongs to postgres')
) as v (statement, found);

-- Errors: each has a code of ours, a message and a hint.
create function pg_temp.mute_errors()
returns setof text
language sql
as $$
    select p.proname
    from functions as p
    where regexp_count(p.prosrc, 'raise exception') <> regexp_count(p.prosrc, 'raise exception using')
        or regexp_count(p.prosrc, 'raise exception') <> regexp_count(p.prosrc, 'errcode = (''WF[0-9]{3}''|p_errcode),')
        or regexp_count(p.prosrc, 'raise exception') <> regexp_count(p.prosrc, '\mmessage = ')
            - regexp_count(p.prosrc, 'raise notice using\s+message = ')
        or regexp_count(p.prosrc, 'raise exception') <> regexp_count(p.prosrc, '\mhint = ')
            - regexp_count(p.prosrc, 'raise notice using\s+message = [^;]*?\mhint = ')
$$;
select is_empty('select pg_temp.mute_errors()', 'every error has a code, a message and a hint');
select
    is(
        pg_temp.found(
            'mute_errors',
            format(
                'create function awf.fresh() returns void language plpgsql as %L', format('begin raise exception %s; end;', v.how)
            )
        ),
        v.found, 'the rule finds an error ' || v.what
    )
from (
    values
    ('''oh''', 'fresh', 'without anything'),
    ('using errcode = ''WF001'', message = ''oh''', 'fresh', 'without a hint'),
    ('using message = ''oh'', hint = ''eh''', 'fresh', 'without a code'),
    ('using errcode = ''P0001'', message = ''oh'', hint = ''eh''', 'fresh', 'with another''s code'),
    ('using errcode = ''WF001'', hint = ''eh''', 'fresh', 'without a message'),
    ('using errcode = ''WF001'', message = ''oh'', hint = ''eh''', null, 'only where something is missing')
) as v (how, found, what);

-- Names.
create function pg_temp.odd_arguments()
returns setof text
language sql
as $$
    select format('%s(%s)', p.proname, coalesce(a.name, 'without a name'))
    from functions as p
    cross join lateral (
        select p.proargnames[i] as name
        from generate_series(1, coalesce(cardinality(p.proallargtypes), p.pronargs)) as i
        where coalesce(p.proargmodes[i], 'i') in ('i', 'b', 'v')
    ) as a
    where a.name is null or a.name !~ '^p_'
$$;
select is_empty('select pg_temp.odd_arguments()', 'every argument has a name, which begins with p_');
select
    is(
        pg_temp.found(
            'odd_arguments', format('create function awf.fresh(%s integer) returns integer language sql return 1', v.argument)
        ),
        v.found, 'the rule finds an argument ' || v.what
    )
from (
    values ('x', 'fresh(x)', 'of another name'), ('', 'fresh(without a name)', 'without a name')
) as v (argument, found, what);

-- The lists of rights name what there is.
select is_empty(
    $$select f.function_name from awf._function_rights() as f
    where not exists (select from functions as p where p.proname = f.function_name)$$,
    'the list of function rights names no function that is not there'
);
select is_empty(
    $$select t.relation from awf._table_rights() as t
    where not exists (select from pg_class as c where c.relname = t.relation and c.relnamespace = 'awf'::regnamespace)$$,
    'the list of table rights names no table that is not there'
);

select finish();
rollback;
