-- Files whose lines have no time: opened by name and content, closed at their end, never ingested twice.
begin;
select plan(26);

set local timezone = 'Pacific/Kiritimati'; -- messages name the time in UTC all the same
select awf.create_roles();
create function pg_temp.set_now(p_now timestamptz)
returns void
language plpgsql
as $$
begin
    execute format(
        'create or replace function awf._now() returns timestamptz language sql stable parallel safe return %L::timestamptz', p_now
    );
end;
$$;
create function pg_temp.digest(p_content text)
returns text
language sql
immutable
return encode(sha256(convert_to(p_content, 'UTF8')), 'hex');

-- A source from its first run to its last.
select pg_temp.set_now('2025-02-01 12:00:00+00');
set local role awf_writer;
select is(
    awf.open_source('a.jsonl', pg_temp.digest('a')), timestamptz '2025-02-01 12:00:00+00',
    'a new source gets the time at which it is opened'
);
reset role;
select pg_temp.set_now('2025-02-01 13:00:00+00');
select is(
    awf.open_source('a.jsonl', pg_temp.digest('a')), timestamptz '2025-02-01 12:00:00+00',
    'opened again after an interruption, or by a second run at once, it keeps that time'
);
select results_eq(
    'select name, digest, ts, opened_at, closed_at, role_name from awf.ingest_sources',
    $$values ('a.jsonl', pg_temp.digest('a'), timestamptz '2025-02-01 12:00:00+00', timestamptz '2025-02-01 12:00:00+00',
    null::timestamptz, 'awf_writer'::name)$$,
    'it is remembered once, with who opened it first'
);
select lives_ok($$select awf.close_source('a.jsonl', pg_temp.digest('a'))$$, 'a source is closed');
select pg_temp.set_now('2025-02-01 14:00:00+00');
select lives_ok($$select awf.close_source('a.jsonl', pg_temp.digest('a'))$$, 'the second of two runs closes it once more');
select is(
    (select s.closed_at from awf.ingest_sources as s), timestamptz '2025-02-01 13:00:00+00',
    'it was closed when the first of them finished'
);
select throws_ok(
    $$select awf.open_source('a.jsonl', pg_temp.digest('a'))$$, 'WF206', 'source "a.jsonl" was ingested already',
    'a source that was closed is refused'
);

-- What a refusal says.
create function pg_temp.refusal(p_name text, p_content text)
returns text
language plpgsql
as $$
declare
    v_detail text;
    v_hint text;
begin
    perform awf.open_source(p_name, pg_temp.digest(p_content));
    return null;
exception
    when others then
        get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
        return concat_ws(e'\n', sqlstate, sqlerrm, v_detail, v_hint);
end;
$$;
select matches(
    pg_temp.refusal('a.jsonl', 'a'), 'ingested 2025-02-01 13:00:00\+00 by role "awf_writer"',
    'the refusal says when it was ingested, and by whom'
);
select matches(
    pg_temp.refusal('a.jsonl', 'a and more'), '^WF206\nsource "a\.jsonl" has another content',
    'another content under a known name is refused: the lines before could not be told from stored ones'
);
select matches(pg_temp.refusal('a.jsonl', 'a and more'), '--source.*--from-line', 'with the way to ingest what was added');
select matches(
    pg_temp.refusal('copy.jsonl', 'a'), '^WF206\nthe content of source "copy\.jsonl" was ingested as "a\.jsonl"',
    'a known content under another name is refused'
);
select pg_temp.set_now('2025-02-02 12:00:00+00');
select is(
    awf.open_source('b.jsonl', pg_temp.digest('b')), timestamptz '2025-02-02 12:00:00+00',
    'another content under another name is another source'
);
select matches(
    pg_temp.refusal('c.jsonl', 'b'), 'begun 2025-02-02 12:00:00\+00 by role "postgres" and not finished\.\n.*--source "b\.jsonl"',
    'of a run that was interrupted the refusal says so, and which name goes on with it'
);
select matches(
    pg_temp.refusal('a.jsonl', 'b'), 'source "a\.jsonl" has another content',
    'name and content of two sources: the name is what is spoken of'
);
select is((select count(*) from awf.ingest_sources), 2::bigint, 'a refusal remembers nothing');

-- What is no source.
select
    throws_ok(
        format('select awf.open_source(%L, %L)', a.source, a.digest), 'WF001', null,
        'a source is refused that has ' || a.what
    )
from (
    values
    (null, repeat('0', 64), 'no name'), ('', repeat('0', 64), 'an empty name'),
    (repeat('n', 201), repeat('0', 64), 'a long name'),
    ('d', null, 'no digest'), ('d', repeat('0', 63), 'a short digest'), ('d', repeat('A', 64), 'upper case')
) as a (source, digest, what);
select throws_ok(
    $$select awf.close_source('d', pg_temp.digest('d'))$$, 'WF001', 'no source "d" of this content is open',
    'a source that was never opened cannot be closed'
);
select throws_ok(
    $$select awf.close_source('b.jsonl', pg_temp.digest('c'))$$, 'WF001', 'no source "b.jsonl" of this content is open',
    'nor one of another content'
);
select is_empty(
    $$select name from awf.ingest_sources where name = 'b.jsonl' and closed_at is not null$$, 'which stays open'
);

-- Rights.
set local role awf_analyst;
select is((select count(*) from awf.ingest_sources), 2::bigint, 'an analyst sees the sources');
reset role;
set local role awf_writer;
select throws_ok('select name from awf.ingest_sources', '42501', null, 'a writer does not');

select finish();
rollback;
