"""Days go to Parquet files and come back as they were, whatever breaks on the way."""

from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from awf_pg import Api, archive, jobs, parquet
from awf_pg.cli import main
from awf_pg.connect import Source
from awf_pg.copy import Writer
from awf_pg.errors import (
    ArchiveMismatch,
    AwfError,
    EventsGone,
    InvalidDateRange,
    PermissionDenied,
    ServerUnreachable,
)
from awf_pg.event import Event
from tests import scale, servers
from tests.archiver import STAGES, struck
from tests.conftest import Connect
from tests.faulty import wait_until

ROUNDS = scale.examples(20)
DAY = date(2025, 1, 15)
NEXT = DAY + timedelta(days=1)
AFTER = DAY + timedelta(days=2)
FILE = "turn_events_20250115.parquet"
FORGOTTEN = "cd" * 32

EVENTS = "select * from awf.turn_events order by ts, id"
TOTALS = "select * from awf.daily_totals order by variation_id, day, world_id, locale_id"
EXPOSURES = "select * from awf.exposures order by experiment_id, unit_id, phase"
DAYS = "select day, state from awf.event_days order by day"

Connection = psycopg.Connection[tuple[Any, ...]]
Strike = Callable[[], object]


def turns(day: date, count: int = 40) -> list[dict[str, Any]]:
    """Turns with everything that a turn may carry, and without; one player will be forgotten."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    step = timedelta(days=1) / count
    return [
        {
            "ts": (start + number * step + timedelta(microseconds=number)).isoformat(),
            "session_id": f's-{number % 5} "\\ü\n,',
            "player_hash": FORGOTTEN if number % 4 == 0 else f"{number % 3:064x}",
            "world_ref": f"w{number % 2}",
            "adventure_ref": "ä",
            "locale": ["en-US", "de-DE"][number % 2],
            "assignments": [{"experiment": "e", "variation": "ab"[number % 2]}] if number % 3 else [],
            "attributes": {"tier": 'a "b" \\ \t', "level": number} if number % 5 else {},
            "metrics": {"outputTokens": number, "mood": 1.50, "model": "m"} if number % 2 else {},
        }
        for number in range(count)
    ]


def make_experiment(api: Api) -> None:
    api.create_experiment("e", "E", [{"variation": variation, "percent": 50} for variation in "ab"])
    for variation in "ab":
        api.create_variation("e", variation)


def store(dsn: str, *days: date) -> None:
    """Events of the days, rolled up."""
    with Api(dsn) as api:
        if "e" not in [one["key"] for one in api.list_experiments()]:
            make_experiment(api)
        for day in days:
            assert api.record_turns(turns(day))["rejected"] == 0
        api.refresh_rollups()


def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


@pytest.fixture
def admin(db: str) -> Iterator[Api]:
    with Api(make_conninfo(db, user="t_admin")) as api:
        yield api


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "archive"
    made.mkdir()
    return made


def content_of(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name != ".lock"}


def manifest_of(folder: Path) -> dict[str, Any]:
    days: dict[str, Any] = json.loads((folder / archive.MANIFEST).read_text())["days"]
    return days


# There and back


def test_round_trip(db: str, admin: Api, folder: Path) -> None:
    store(db, DAY, NEXT, AFTER)
    stored, totals, exposures = (rows(db, query) for query in (EVENTS, TOTALS, EXPOSURES))
    report = admin.experiment_report("e")
    assert len(stored) == 120
    assert report

    done = archive.run(admin, AFTER, folder)
    assert [(one.day, one.action, one.rows) for one in done] == [
        (DAY, "archived", 40),
        (NEXT, "archived", 40),
    ]
    assert content_of(folder) == {FILE, "turn_events_20250116.parquet", archive.MANIFEST}
    assert rows(db, EVENTS) == [row for row in stored if row[0].date() == AFTER]
    assert rows(db, DAYS) == [(DAY, "dropped"), (NEXT, "dropped")]
    # What is known of the days without their events stays as it was.
    assert (rows(db, TOTALS), rows(db, EXPOSURES)) == (totals, exposures)
    assert admin.experiment_report("e") == report
    for first, last in ((DAY, AFTER), (NEXT, NEXT)):
        with pytest.raises(EventsGone):
            admin.backfill(first, last)
    with pytest.raises(EventsGone):
        admin.rollup_daily(DAY)
    assert rows(db, TOTALS) == totals
    assert archive.run(admin, AFTER, folder) == []

    for day in (NEXT, DAY):
        back = archive.restore(admin, day, folder)
        assert (back.source, back.events, back.erased_players) == (archive.file_name(day), 40, 0)
    assert rows(db, EVENTS) == stored
    assert rows(db, DAYS) == [(DAY, "restored"), (NEXT, "restored")]
    admin.backfill(DAY, AFTER)
    assert (rows(db, TOTALS), rows(db, EXPOSURES)) == (totals, exposures)
    assert admin.record_turns(turns(DAY, 1))["accepted"] == 1
    admin.refresh_rollups()
    again = archive.run(admin, NEXT, folder)
    assert [(one.action, one.rows) for one in again] == [("archived", 41)]


def test_the_manifest_and_the_database_know_the_file(db: str, admin: Api, folder: Path) -> None:
    store(db, DAY)
    first, last = rows(db, "select min(ts), max(ts) from awf.turn_events")[0]
    archive.run(admin, AFTER, folder)
    entry = manifest_of(folder)[str(DAY)]
    path = folder / FILE
    known = "select file, rows, sha256, digest::text, format, archived_by from awf.archives"
    assert rows(db, known) == [(FILE, 40, parquet.sha256_of(path), entry["digest"], 1, "t_admin")]
    assert (entry["file"], entry["rows"], entry["sha256"]) == (FILE, 40, parquet.sha256_of(path))
    assert (entry["bytes"], entry["format"]) == (path.stat().st_size, parquet.FORMAT)
    assert [datetime.fromisoformat(entry[name]) for name in ("first_ts", "last_ts")] == [first, last]
    assert datetime.fromisoformat(entry["archived_at"]) <= datetime.now(UTC)


def test_the_file_explains_itself(db: str, admin: Api, folder: Path) -> None:
    store(db, DAY)
    query = """select id::text, world_ref, adventure_ref, locale, experiment_key, variation_key,
        metrics ->> 'model', attributes ->> 'tier', player_hash
        from awf.analytics_events order by ts"""
    shown = rows(db, query)
    archive.run(admin, AFTER, folder)
    with duckdb.connect() as duck:
        found = duck.sql(f"""
            select id::text, world_ref, adventure_ref, locale, experiment_keys[1], variation_keys[1], model,
                attributes->>'$.tier', lower(hex(player_hash))
            from '{folder / FILE}' order by ts
        """).fetchall()
    assert found == shown
    table = pq.read_table(folder / FILE)
    assert table.schema.field("world_ref").type.value_type == "string"
    assert set(table["phases"].combine_chunks().flatten().to_pylist()) == {1}
    # The test would see columns that were left out.
    stored = rows(
        db,
        "select attname::text from pg_attribute where attrelid = 'awf.turn_events'::regclass and attnum > 0",
    )
    assert set(parquet.STORED) == {name for (name,) in stored}


RIGHTS = """
select x.grantee::regrole::text, c.relname, x.privilege_type from pg_class as c
cross join lateral aclexplode(c.relacl) as x
where c.relname ~ '^turn_events_2' and c.relkind = 'r' and x.grantee <> c.relowner
union all
select x.grantee::regrole::text, c.relname || '.' || a.attname, x.privilege_type from pg_class as c
inner join pg_attribute as a on a.attrelid = c.oid
cross join lateral aclexplode(a.attacl) as x
where c.relname ~ '^turn_events_2' and c.relkind = 'r'
order by 1, 2, 3
"""


def test_rights_end_with_the_archive(db: str, admin: Api, folder: Path) -> None:
    store(db, DAY)
    before = rows(db, RIGHTS)
    assert before
    admin.open_archive(DAY)
    assert rows(db, RIGHTS) == [("t_admin", "turn_events_20250115", "SELECT")]
    archive.run(admin, AFTER, folder, keep=True)
    assert rows(db, RIGHTS) == []
    archive.restore(admin, DAY, folder)
    assert rows(db, RIGHTS) == before
    archive.run(admin, AFTER, folder)
    archive.restore(admin, DAY, folder)
    assert rows(db, RIGHTS) == before


def test_an_empty_day(db: str, admin: Api, folder: Path) -> None:
    with psycopg.connect(db) as connection:
        connection.execute("select awf.open_batch(%s, 0)", [DAY])
    (done,) = archive.run(admin, AFTER, folder)
    assert (done.action, done.rows) == ("archived", 0)
    entry = manifest_of(folder)[str(DAY)]
    assert (entry["rows"], entry["first_ts"], entry["last_ts"], entry["digest"]) == (0, None, None, "0")
    assert archive.restore(admin, DAY, folder).events == 0
    assert admin.rollup_daily(DAY) == []


def test_nothing_to_do(admin: Api, folder: Path) -> None:
    assert archive.run(admin, AFTER, folder) == []
    assert content_of(folder) == set()


def test_today_stays(db: str, admin: Api, folder: Path) -> None:
    today = datetime.now(UTC).date()
    store(db, today - timedelta(days=1), today)
    done = archive.run(admin, date.max, folder)
    assert today not in [one.day for one in done]
    assert any(row[0].date() == today for row in rows(db, EVENTS))
    with pytest.raises(InvalidDateRange):
        admin.archive_days("infinity")


# Any event

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
numbers = st.integers(0, 2**31 - 1)
documents = st.none() | st.dictionaries(
    texts,
    st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.decimals(allow_nan=False, allow_infinity=False, places=3),
    max_size=3,
)
strange_events = st.fixed_dictionaries(
    {
        "ts": st.timedeltas(timedelta(), timedelta(days=1, microseconds=-1)),
        "id": st.uuids(),
        "session_id": texts,
        "player_hash": st.binary(min_size=32, max_size=32),
        # Numbers that stand for nothing, too: nothing but the writers' care binds them.
        "world_id": st.integers(1, 5) | st.integers(-(2**31), 2**31 - 1),
        "adventure_id": numbers,
        "locale_id": numbers,
        "model_id": st.none() | numbers,
        "failed": st.booleans(),
        "assignments": st.none() | st.lists(st.integers(1, 3) | numbers, max_size=4),
        "batch_id": st.integers(1, 2**62),
        "created_at": st.datetimes(datetime(2025, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)),
        "extra": documents,
        "attributes": documents | st.dictionaries(texts, texts | st.none(), max_size=3),
    },
    optional=dict.fromkeys(parquet._METRICS, numbers),
)


@pytest.fixture(scope="module")
def strange(server: servers.Server) -> Iterator[str]:
    server.create_database("t_archive", servers.TEMPLATE)
    dsn = server.dsn_of("t_archive")
    with Api(dsn) as api:
        make_experiment(api)
    store(dsn, date(2025, 3, 1))  # numbers that stand for something
    yield dsn
    server.drop_database("t_archive")


@given(st.lists(strange_events, max_size=5, unique_by=lambda event: event["id"]))
@settings(max_examples=scale.examples(100))
def test_any_event_comes_back_as_it_was(
    strange: str, tmp_path_factory: pytest.TempPathFactory, events: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    with psycopg.connect(strange, autocommit=True) as connection, Api(strange) as api:
        # Older than those of the examples before, which would be archived again with it.
        ((day,),) = connection.execute("select coalesce(min(day), %s) - 1 from awf.event_days", [DAY])
        connection.execute("select awf.open_batch(%s, 0)", [day])
        for event in events:
            insert(connection, day, event)
        query = f"select e::text from awf.turn_events as e where ts < '{day + timedelta(days=1)}'"
        before = sorted(connection.execute(query.encode()))
        (done,) = archive.run(api, day + timedelta(days=1), folder)
        assert done.rows == len(events)
        assert connection.execute(query.encode()).fetchall() == []
        archive.restore(api, day, folder)
        assert sorted(connection.execute(query.encode())) == before


def insert(connection: Connection, day: date, event: dict[str, Any]) -> None:
    columns = dict(event, ts=datetime(day.year, day.month, day.day, tzinfo=UTC) + event["ts"])
    for name in ("extra", "attributes"):
        if columns[name] is not None:
            document = columns[name]
            columns[name] = Jsonb(document, dumps=lambda value: json.dumps(value, default=float))
    names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
    query = f"insert into awf.turn_events ({names}) values ({marks})"
    connection.execute(query.encode(), list(columns.values()))


# What comes in between


def test_late_events_are_kept_aside_and_can_come_after_a_restore(db: str, admin: Api, folder: Path) -> None:
    store(db, DAY)
    late = datetime(2025, 1, 15, 10, tzinfo=UTC)

    def come_late() -> None:
        source = Source(make_conninfo(db, user="t_writer"), None, "late")
        with closing(Writer(source)) as writer:
            written = writer.write([Event("late", bytes(32), "w", "a", ts=late)])
        assert (written.accepted, written.rejected) == (0, 1)

    with struck("detached", come_late):
        (done,) = archive.run(admin, AFTER, folder)
    assert done.rows == 40
    come_late()
    assert rows(db, "select reason from awf.rejected_events") == [("day_gone",)] * 2
    archive.restore(admin, DAY, folder)
    assert admin.retry_rejected()["accepted"] == 2
    admin.refresh_rollups()
    assert admin.backfill(DAY, DAY)
    (again,) = archive.run(admin, AFTER, folder)
    assert again.rows == 42


def test_a_day_with_waiting_batches_waits(db: str, admin: Api, folder: Path) -> None:
    """A writer commits between the refresh and the look at the days."""
    store(db, DAY, NEXT)
    original = Api.archive_days

    def with_a_late_batch(api: Api, before: Any) -> Any:
        with Api(db) as writer:
            writer.record_turns(turns(DAY, 1))
        return original(api, before)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Api, "archive_days", with_a_late_batch)
        done = archive.run(admin, AFTER, folder)
    assert [(one.day, one.action) for one in done] == [(DAY, "waits"), (NEXT, "archived")]
    (rest,) = archive.run(admin, AFTER, folder)
    assert (rest.action, rest.rows) == ("archived", 41)


def test_a_day_in_use_is_passed_over(
    db: str, admin: Api, folder: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "PATIENCE_S", 0.1)
    store(db, DAY)
    reader = connect("analyst")
    reader.execute("select count(*) from awf.turn_events")
    (done,) = archive.run(admin, AFTER, folder)
    assert (done.action, content_of(folder)) == ("busy", set())
    reader.rollback()
    holder = connect()
    with struck("recorded", lambda: holder.execute("lock table awf.turn_events_20250115 in share mode")):
        (done,) = archive.run(admin, AFTER, folder)
    assert (done.action, done.rows) == ("busy", 40)
    holder.rollback()
    (done,) = archive.run(admin, AFTER, folder)
    assert done.action == "dropped"


def test_kept_tables_are_dropped_by_a_later_run_or_attached_again(db: str, admin: Api, folder: Path) -> None:
    store(db, DAY, NEXT)
    stored = rows(db, EVENTS)
    done = archive.run(admin, AFTER, folder, keep=True)
    assert [one.action for one in done] == ["kept", "kept"]
    assert rows(db, DAYS) == [(DAY, "detached"), (NEXT, "detached")]
    assert archive.run(admin, AFTER, folder, keep=True) == []
    back = archive.restore(admin, NEXT, folder)
    assert (back.source, back.events) == (None, None)
    assert rows(db, EVENTS) == [row for row in stored if row[0].date() == NEXT]
    written = (folder / FILE).stat().st_mtime_ns
    (dropped,) = archive.run(admin, NEXT, folder)
    assert (dropped.day, dropped.action) == (DAY, "dropped")
    assert (folder / FILE).stat().st_mtime_ns == written
    archive.restore(admin, DAY, folder)
    assert rows(db, EVENTS) == stored


def test_a_forgotten_player_does_not_come_back(db: str, admin: Api, folder: Path) -> None:
    """Neither from a file nor from a table that was kept; the rollups then count him no more."""
    store(db, DAY, NEXT)
    archive.run(admin, NEXT, folder)
    archive.run(admin, AFTER, folder, keep=True)
    assert admin.forget_player(FORGOTTEN)["events"] == 10  # of the table that was kept
    back = archive.restore(admin, DAY, folder)
    assert (back.erased_players, back.erased_events) == (1, 10)
    back = archive.restore(admin, NEXT, folder)
    assert (back.erased_players, back.erased_events) == (0, 0)
    players = "select distinct encode(player_hash, 'hex') from awf.turn_events"
    assert (FORGOTTEN,) not in rows(db, players)
    assert len(rows(db, EVENTS)) == 60
    totals, exposures = rows(db, TOTALS), rows(db, EXPOSURES)
    admin.backfill(DAY, NEXT)
    assert (rows(db, TOTALS), rows(db, EXPOSURES)) == (totals, exposures)
    # Archived again, without him, over the file of before.
    done = archive.run(admin, AFTER, folder)
    assert [(one.action, one.rows) for one in done] == [("archived", 30), ("archived", 30)]
    assert bytes.fromhex(FORGOTTEN) not in pq.read_table(folder / FILE)["player_hash"].to_pylist()
    assert archive.restore(admin, DAY, folder).erased_players == 0


def test_a_player_forgotten_before_the_drop_leaves_the_file_too(db: str, admin: Api, folder: Path) -> None:
    """From a table that was archived and kept, or while it is being archived."""
    store(db, DAY, NEXT)
    archive.run(admin, NEXT, folder, keep=True)
    admin.forget_player(FORGOTTEN)
    (done,) = archive.run(admin, NEXT, folder)
    assert (done.action, done.rows) == ("archived", 30)
    assert archive.restore(admin, DAY, folder).erased_players == 0
    with (
        struck("file read back", lambda: admin.forget_player(f"{1:064x}")),
        pytest.raises(ArchiveMismatch, match="does not hold the events of 2025-01-15"),
    ):
        archive.run(admin, NEXT, folder)
    (done,) = archive.run(admin, NEXT, folder)
    assert (done.action, done.rows) == ("archived", 20)


# What is refused, and loses nothing


@pytest.mark.parametrize("role", ["none", "reader", "analyst", "writer"])
def test_only_admins_archive_and_restore(db: str, admin: Api, folder: Path, role: str) -> None:
    store(db, DAY, NEXT)
    archive.run(admin, NEXT, folder)
    stored = rows(db, EVENTS)
    with Api(make_conninfo(db, user=f"t_{role}")) as api:
        with pytest.raises(PermissionDenied):
            archive.run(api, AFTER, folder)
        with pytest.raises(PermissionDenied):
            archive.restore(api, DAY, folder)
        for call in (
            lambda: api.open_archive(NEXT),
            lambda: api.attach_day(DAY),
            lambda: api.drop_archived_day(DAY, "0" * 64),
        ):
            with pytest.raises(PermissionDenied):
                call()
    assert rows(db, EVENTS) == stored
    assert rows(db, DAYS) == [(DAY, "dropped")]


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)


def test_a_file_damaged_before_the_drop_keeps_the_table(db: str, admin: Api, folder: Path) -> None:
    store(db, DAY)
    stored = rows(db, EVENTS)
    archive.run(admin, AFTER, folder, keep=True)
    damage(folder / FILE)
    with pytest.raises(archive.ArchiveConflict, match=f"{FILE} is not of this database, or is damaged"):
        archive.run(admin, AFTER, folder)
    assert rows(db, DAYS) == [(DAY, "detached")]
    (folder / FILE).rename(folder / "damaged")
    (done,) = archive.run(admin, AFTER, folder)  # the table is there: the file is written again
    assert done.action == "archived"
    archive.restore(admin, DAY, folder)
    assert rows(db, EVENTS) == stored


def test_damage_while_it_is_written_is_found(
    db: str, admin: Api, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk gives back another value: the digest of the database tells."""
    store(db, DAY)
    original = parquet._explained

    def wrong(batch: Any, texts: Any) -> Any:
        made = original(batch, texts)
        failed = made.schema.get_field_index("failed")
        return made.set_column(failed, made.schema.field(failed), pc.invert(made.column(failed)))

    with monkeypatch.context() as patch:
        patch.setattr(parquet, "_explained", wrong)
        with pytest.raises(ArchiveMismatch, match="does not hold the events of 2025-01-15"):
            archive.run(admin, AFTER, folder)
    assert rows(db, DAYS) == [(DAY, "detached")]
    assert content_of(folder) == set()
    (done,) = archive.run(admin, AFTER, folder)
    assert (done.action, done.rows) == ("archived", 40)


def of_another_day(path: Path) -> None:
    shutil.copyfile(path.with_name("turn_events_20250116.parquet"), path)


def of_another_make(path: Path) -> None:
    pq.write_table(pq.read_table(path).drop_columns(["extra"]), path)


def with_an_event_less(path: Path) -> None:
    pq.write_table(pq.read_table(path).slice(1), path)


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    ("harm", "error", "message"),
    [
        (damage, AwfError, FILE),
        (cut_short, parquet.ArchiveError, f"{FILE} cannot be read: is it damaged?"),
        (lambda path: path.write_bytes(b""), parquet.ArchiveError, f"{FILE} cannot be read"),
        (Path.unlink, parquet.ArchiveError, f"there is no file .*{FILE}"),
        (of_another_day, parquet.ArchiveError, f"{FILE} does not hold the events of 2025-01-15"),
        (of_another_make, parquet.ArchiveError, f"{FILE} has other columns"),
        (with_an_event_less, parquet.ArchiveError, f"{FILE} is not what manifest.json says of 2025-01-15"),
    ],
)
def test_nothing_is_restored_from_a_file_that_is_not_the_archive(
    db: str, admin: Api, folder: Path, harm: Callable[[Path], object], error: type[AwfError], message: str
) -> None:
    store(db, DAY, NEXT)
    stored = rows(db, EVENTS)
    archive.run(admin, AFTER, folder)
    saved = (folder / FILE).read_bytes()
    harm(folder / FILE)
    with pytest.raises(error, match=message):
        archive.restore(admin, DAY, folder)
    assert rows(db, EVENTS) == []
    assert rows(db, DAYS) == [(DAY, "dropped"), (NEXT, "dropped")]
    (folder / FILE).write_bytes(saved)
    (folder / archive.MANIFEST).unlink()  # the database remembers the file by itself
    archive.restore(admin, DAY, folder)
    archive.restore(admin, NEXT, folder)
    assert rows(db, EVENTS) == stored


def test_the_database_refuses_a_file_that_only_the_manifest_knows(db: str, admin: Api, folder: Path) -> None:
    store(db, DAY)
    archive.run(admin, AFTER, folder)
    path = folder / FILE
    with_an_event_less(path)
    archive._note(path, DAY, parquet.read(path, DAY))
    with pytest.raises(ArchiveMismatch, match="the file is not the archive of 2025-01-15"):
        archive.restore(admin, DAY, folder)


def test_a_file_that_changes_while_it_is_copied_is_refused(
    db: str, admin: Api, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(db, DAY)
    stored = rows(db, EVENTS)
    archive.run(admin, AFTER, folder)
    original = parquet.lines
    with monkeypatch.context() as patch:
        patch.setattr(parquet, "lines", lambda path: [b"".join(original(path)).replace(b"ttl", b"tt")[:0]])
        with pytest.raises(ArchiveMismatch, match="what was copied is not what was archived"):
            archive.restore(admin, DAY, folder)
    assert rows(db, "select to_regclass('awf.turn_events_20250115')") == [(None,)]
    archive.restore(admin, DAY, folder)
    assert rows(db, EVENTS) == stored


def test_what_cannot_be_restored(db: str, admin: Api, folder: Path) -> None:
    store(db, DAY, NEXT)
    archive.run(admin, NEXT, folder)
    shutil.copyfile(folder / FILE, folder / "elsewhere")
    with pytest.raises(archive.ArchiveConflict, match="2025-01-16 was not archived"):
        archive.restore(admin, NEXT, folder)  # it is in turn_events
    archive.restore(admin, DAY, folder)
    with pytest.raises(AwfError, match="2025-01-15 is restored"):
        archive.restore(admin, DAY, folder)


def test_another_database_in_the_same_folder(
    server: servers.Server, db: str, admin: Api, folder: Path
) -> None:
    """Whoever comes second overwrites nothing, and his day stays in turn_events."""
    store(db, DAY)
    archive.run(admin, AFTER, folder)
    saved = (folder / FILE).read_bytes()
    name = f"t_{uuid.uuid4().hex}"
    server.create_database(name, servers.TEMPLATE)
    store(server.dsn_of(name), DAY)
    try:
        with (
            Api(server.dsn_of(name)) as other,
            pytest.raises(archive.ArchiveConflict, match=f"{FILE} is not of this database"),
        ):
            archive.run(other, AFTER, folder)
        assert rows(server.dsn_of(name), DAYS) == []
    finally:
        server.drop_database(name)
    assert (folder / FILE).read_bytes() == saved


def test_another_run_at_work(db: str, admin: Api, folder: Path) -> None:
    store(db, DAY)
    with (folder / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(archive.ArchiveConflict, match="another run is at work"):
            archive.run(admin, AFTER, folder)
    assert rows(db, DAYS) == []


@pytest.mark.parametrize("found_by", ["restore", "run"])
def test_a_file_that_the_database_remembers_is_found_under_its_first_name(
    db: str, admin: Api, folder: Path, found_by: str
) -> None:
    """The answer gets lost after the database has heard; it then lets go of the table by itself."""
    store(db, DAY)
    stored = rows(db, EVENTS)

    def lose() -> None:
        raise ServerUnreachable("lost")

    with struck("recorded", lose), pytest.raises(ServerUnreachable):
        archive.run(admin, AFTER, folder)
    assert content_of(folder) == {f"{FILE}.partial"}
    keep_days(db, 30)
    admin.set_setting("archive_required", True)
    assert [one["action"] for one in admin.apply_retention()] == ["dropped"]
    if found_by == "run":
        assert archive.run(admin, AFTER, folder) == []
        assert content_of(folder) == {FILE, archive.MANIFEST}
    assert archive.restore(admin, DAY, folder).events == 40
    assert content_of(folder) == {FILE, archive.MANIFEST}
    assert rows(db, EVENTS) == stored


@pytest.mark.parametrize("text", ["{", "[]", '{"days": 1}', '{"days": {"2025-01-15": 1}}', "\xff"])
def test_a_broken_manifest(db: str, admin: Api, folder: Path, text: str) -> None:
    store(db, DAY)
    (folder / archive.MANIFEST).write_text(text, "latin-1")
    with pytest.raises(parquet.ArchiveError, match=r"manifest\.json cannot be read"):
        archive.run(admin, AFTER, folder)
    assert len(rows(db, EVENTS)) == 40
    (folder / archive.MANIFEST).unlink()
    assert archive.run(admin, AFTER, folder)[0].action == "archived"


def test_a_full_file_system(db: str, admin: Api, small_file_system: Path) -> None:
    store(db, DAY)
    stored = rows(db, EVENTS)
    filler = small_file_system / "filler"
    with suppress(OSError):
        filler.write_bytes(bytes(4_000_000))  # more than there is room for
    with pytest.raises(parquet.ArchiveError) as refused:
        archive.run(admin, AFTER, small_file_system)
    assert FILE in refused.value.message
    assert "No space left" in str(refused.value.detail)
    assert rows(db, DAYS) in ([], [(DAY, "detached")])
    filler.unlink()
    assert archive.run(admin, AFTER, small_file_system)[0].action == "archived"
    archive.restore(admin, DAY, small_file_system)
    assert rows(db, EVENTS) == stored


def test_a_folder_that_cannot_be_written(db: str, admin: Api, small_file_system: Path) -> None:
    store(db, DAY)
    subprocess.run(["mount", "-o", "remount,ro", str(small_file_system)], check=True)
    with pytest.raises(parquet.ArchiveError, match="cannot write"):
        archive.run(admin, AFTER, small_file_system)
    assert rows(db, DAYS) == []


# The command line


def command(db: str, *arguments: str) -> Any:
    return CliRunner().invoke(main, [*arguments, "--dsn", db])


def test_dry_run_changes_nothing(db: str, folder: Path) -> None:
    store(db, DAY, NEXT)
    stored = rows(db, EVENTS)
    said = command(db, "archive", "--before", str(NEXT), "--to", str(folder), "--dry-run")
    assert said.exit_code == 0, said.output
    assert said.output.startswith(f"2025-01-15 would archive: {FILE}, ")
    assert said.output.count("\n") == 1
    assert (content_of(folder), rows(db, EVENTS), rows(db, DAYS)) == (set(), stored, [])
    command(db, "archive", "--before", str(NEXT), "--to", str(folder), "--keep")
    said = command(db, "archive", "--before", str(NEXT), "--to", str(folder), "--dry-run", "--format", "json")
    assert [(one["day"], one["action"]) for one in json.loads(said.output)] == [("2025-01-15", "would drop")]
    assert rows(db, DAYS) == [(DAY, "detached")]


def test_the_commands(db: str, folder: Path) -> None:
    store(db, DAY, NEXT)
    to = ["--to", str(folder)]
    said = command(db, "archive", "--before", str(AFTER), *to)
    assert [line.split(", ")[:2] for line in said.output.splitlines()] == [
        [f"2025-01-15 archived: {FILE}", "40 events"],
        ["2025-01-16 archived: turn_events_20250116.parquet", "40 events"],
    ]
    assert command(db, "archive", "--before", str(AFTER), *to).output == "nothing to do\n"
    with Api(db) as api:
        api.forget_player(FORGOTTEN)
    said = command(db, "restore-archive", str(DAY), "--from", str(folder))
    assert said.output == (
        f"2025-01-15: 40 events restored from {FILE}\n1 forgotten players with 10 events erased again\n"
    )
    said = command(db, "restore-archive", str(NEXT), "--from", str(folder), "--format", "json")
    assert json.loads(said.output) == {
        "day": "2025-01-16",
        "source": "turn_events_20250116.parquet",
        "events": 40,
        "erased_players": 1,
        "erased_events": 10,
    }
    said = command(db, "restore-archive", str(DAY), "--from", str(folder))
    assert (said.exit_code, "Error WF305: 2025-01-15 is restored" in said.output) == (1, True)
    said = command(db, "archive", "--before", str(AFTER), "--to", str(folder / "none"))
    assert said.exit_code == 2


# With the jobs


def keep_days(db: str, days: int) -> None:
    with Api(db) as api:
        api.set_setting("ingest_max_age_days", days)
        api.set_setting("events_keep_days", days)


def jobs_run(db: str, folder: Path) -> tuple[int, list[str]]:
    """Exit status, and the lines without their times."""
    said = command(db, "jobs", "run", "--once", "--archive", str(folder))
    return said.exit_code, [line.partition("Z ")[2].rpartition(", ")[0] for line in said.output.splitlines()]


def test_the_loop_archives_what_the_setting_lets_go(db: str, folder: Path) -> None:
    today = datetime.now(UTC).date()
    old, older = today - timedelta(days=4), today - timedelta(days=5)
    store(db, older, old, today - timedelta(days=3), today)
    status, said = jobs_run(db, folder)
    assert status == 1
    assert said[0].startswith("archive: failed, WF002: the day before which to archive is missing (")
    assert "events_keep_days" in said[0]
    assert any(line.startswith("refresh: done") for line in said)  # the others go on
    keep_days(db, 3)
    status, said = jobs_run(db, folder)
    assert (status, said[0]) == (0, "archive: done, 2 rows")
    assert rows(db, DAYS) == [(older, "dropped"), (old, "dropped")]
    (folder / archive.MANIFEST).write_text("{")
    status, said = jobs_run(db, folder)
    assert status == 1
    assert said[0].startswith("archive: failed, WF915: ")


def test_the_loop_archives_once_a_day_and_tries_again_sooner(
    db: str, admin: Api, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_days(db, 3)
    bell = jobs.Bell()
    task = jobs.Archive(admin, folder, bell)
    clock = [datetime(2030, 1, 1, tzinfo=UTC)]

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return clock[0]

    monkeypatch.setattr(jobs, "datetime", Clock)
    outcomes = []
    for hours, harm in ((0, None), (23, None), (1, "{"), (0.5, "{"), (0.5, None), (1, None)):
        clock[0] += timedelta(hours=hours)
        manifest = folder / archive.MANIFEST
        manifest.unlink(missing_ok=True) if harm is None else manifest.write_text(harm)
        outcomes.append([run.outcome for run in task()])
    assert outcomes == [["done"], [], ["failed"], [], ["done"], []]
    bell.ring()
    admin.set_setting("events_keep_days", None)
    admin.set_setting("ingest_max_age_days", 3650)
    store(db, DAY)
    keep_days(db, 3)
    clock[0] += timedelta(days=2)
    assert [run.rows for run in task()] == [0]  # it was told to end
    assert rows(db, DAYS) == []
    bell.close()


@pytest.mark.parametrize("package", ["pyarrow", "adbc_driver_postgresql"])
def test_without_the_extra(db: str, folder: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    for name in list(sys.modules):
        if name == package or name.startswith(f"{package}."):
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "awf_pg.parquet")
    monkeypatch.setitem(sys.modules, package, None)
    for arguments in (["archive", "--before", str(AFTER), "--to"], ["restore-archive", str(DAY), "--from"]):
        said = command(db, *arguments, str(folder))
        assert said.exit_code == 1
        assert f"archives need a package that is not installed: {package}" in said.output
        assert "pip install 'awf-pg[archive]'" in said.output


# Killed


@pytest.fixture
def game(mortal: servers.MortalServer, game: str) -> str:
    """The address of that database."""
    return mortal.dsn_of(game)


class Days:
    """Days of events in a database, two more each round, and what must come of them."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn, self.folder = dsn, folder
        self.next = DAY
        self.stored: list[tuple[Any, ...]] = []

    def add(self) -> date:
        """Two days more; the day behind them."""
        first, self.next = self.next, self.next + timedelta(days=2)
        store(self.dsn, first, first + timedelta(days=1))
        self.stored += rows(self.dsn, EVENTS)
        return self.next

    def archive(self) -> None:
        with Api(self.dsn) as api:
            archive.run(api, self.next, self.folder)

    def assert_nothing_is_gone(self) -> None:
        """After a further run all is in the files, each event once, and the counts are exact."""
        self.archive()
        assert sorted(self._archived()) == sorted(row[3] for row in self.stored)
        assert rows(self.dsn, EVENTS) == []
        assert {state for _, state in rows(self.dsn, DAYS)} == {"dropped"}
        counted = "select sum(n[1]) from awf.daily_totals where variation_id = 0"
        assert rows(self.dsn, counted) == [(len(self.stored),)]
        manifest = manifest_of(self.folder)
        files = {path.name for path in self.folder.glob("*.parquet")}
        assert content_of(self.folder) == files | {archive.MANIFEST}
        assert {entry["file"] for entry in manifest.values()} == files
        known = rows(self.dsn, "select archive_file, archive_sha256, archive_rows from awf.event_days")
        assert {(entry["file"], entry["sha256"], entry["rows"]) for entry in manifest.values()} == set(known)

    def _archived(self) -> list[uuid.UUID]:
        return [
            one
            for path in sorted(self.folder.glob("*.parquet"))
            for one in pq.ParquetFile(path).read(columns=["id"])["id"].to_pylist()
        ]

    def assert_all_come_back(self) -> None:
        totals = rows(self.dsn, TOTALS)
        with Api(self.dsn) as api:
            for day, _ in rows(self.dsn, DAYS):
                archive.restore(api, day, self.folder)
            assert rows(self.dsn, EVENTS) == self.stored
            api.backfill(DAY, self.next)
        assert rows(self.dsn, TOTALS) == totals


def restarted(mortal: servers.MortalServer) -> None:
    if not (mortal.data / "postmaster.pid").exists():
        mortal.start()


# Before, in the middle of (while it waits for a lock) and after what the server does.
WAITING = {
    "while detaching": ("open_archive", "select from awf.locks where name = 'partitions' for update"),
    "while comparing": ("close_archive", "select from awf.event_days for update"),
    "while dropping": ("drop_archived_day", "select from awf.event_days for update"),
}


def killed_at(stage: str, mortal: servers.MortalServer, days: Days) -> None:
    """An archive during which the server is killed at the stage; it ends with an error."""
    killed = killed_waiting(stage, mortal, days.dsn) if stage in WAITING else struck(stage, mortal.kill)
    with killed, pytest.raises((ServerUnreachable, psycopg.OperationalError)):
        days.archive()
    restarted(mortal)


@contextmanager
def killed_waiting(stage: str, mortal: servers.MortalServer, dsn: str) -> Iterator[None]:
    """Hold a lock from the first call of a function on, and kill the server when that call waits for it."""
    function, lock = WAITING[stage]
    original = getattr(Api, function)
    killers: list[threading.Thread] = []

    def kill(blocker: Connection) -> None:
        waits = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like %s"
        # Another connection looks: inside a transaction it would see the same again and again.
        with closing(blocker), psycopg.connect(dsn, autocommit=True) as looking:
            wait_until(lambda: looking.execute(waits, [f"%awf%{function}%"]).rowcount > 0, function)
            mortal.kill()

    def held(*args: Any, **kwargs: Any) -> Any:
        if not killers:
            blocker = psycopg.connect(dsn)
            blocker.execute(lock.encode())
            killers.append(threading.Thread(target=kill, args=[blocker]))
            killers[0].start()
        return original(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Api, function, held)
        yield
    for killer in killers:
        killer.join()
    assert killers


def test_server_killed_at_every_stage(mortal: servers.MortalServer, game: str, folder: Path) -> None:
    days = Days(game, folder)
    stages = [*STAGES, *WAITING]
    for stage, _ in zip(cycle(stages), range(max(ROUNDS, len(stages))), strict=False):
        days.add()
        killed_at(stage, mortal, days)
        days.assert_nothing_is_gone()
    days.assert_all_come_back()


def test_server_killed_at_any_moment(mortal: servers.MortalServer, game: str, folder: Path) -> None:
    days = Days(game, folder)
    days.add()
    began = time.monotonic()
    days.archive()
    takes = time.monotonic() - began
    for _ in range(ROUNDS):
        days.add()
        killer = threading.Timer(random.uniform(0, takes), mortal.kill)
        killer.start()
        with suppress(ServerUnreachable, psycopg.OperationalError):
            days.archive()
        killer.join()
        restarted(mortal)
        days.assert_nothing_is_gone()
    days.assert_all_come_back()


def test_client_killed_at_every_stage(mortal: servers.MortalServer, game: str, folder: Path) -> None:
    days = Days(game, folder)
    for stage, _ in zip(cycle(STAGES), range(max(ROUNDS, len(STAGES))), strict=False):
        before = days.add()
        killed = subprocess.run(
            [sys.executable, "-m", "tests.archiver", stage, str(before), str(folder)],
            env=os.environ | {"AWF_DATABASE_URL": game, "PYTHONPATH": str(Path(__file__).parents[1])},
            capture_output=True,
            text=True,
        )
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        days.assert_nothing_is_gone()
    days.assert_all_come_back()


def test_server_killed_during_a_restore(mortal: servers.MortalServer, game: str, folder: Path) -> None:
    """All of a day comes back, or nothing of it."""
    days = Days(game, folder)
    days.add()
    days.archive()
    original = parquet.lines
    for killed in range(ROUNDS):

        def dying(path: Path, before: bool = killed % 2 == 0) -> Iterator[bytes]:
            if before:
                mortal.kill()
            yield from original(path)
            mortal.kill() if not before else None

        with pytest.MonkeyPatch.context() as patch, Api(game) as api:
            patch.setattr(parquet, "lines", dying)
            with pytest.raises((ServerUnreachable, psycopg.OperationalError)):
                archive.restore(api, DAY, folder)
        restarted(mortal)
        assert rows(game, EVENTS) == []
        assert rows(game, "select to_regclass('awf.turn_events_20250115')") == [(None,)]
    days.assert_all_come_back()
