"""Days go to Parquet files and come back as they were, whatever breaks on the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from awf_pg import Api, archive, parquet
from awf_pg.errors import (
    EventsGone,
    InvalidDateRange,
)
from tests import scale, servers

ROUNDS = scale.examples(20)
DAY = date(2025, 1, 15)
NEXT = DAY + timedelta(days=1)
AFTER = DAY + timedelta(days=2)
FILE = "turn_events_20250115.parquet"
FORGOTTEN = "cd" * 32

EVENTS = "select * from awf.turn_events order by ts, id"
TOTALS = "select * from awf.daily_totals order by variation_id, day, world_id, locale_id, metric_id"
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
    for recompute in (lambda: admin.backfill(DAY, AFTER), lambda: admin.rollup_daily(DAY)):
        with pytest.raises(EventsGone):
            recompute()
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


@given(st.lists(strange_events, max_size=5, unique_by=lambda event: event["id"]), st.integers(0, 10**6))
@settings(max_examples=scale.examples(100))
def test_any_event_comes_back_as_it_was(
    strange: str, tmp_path_factory: pytest.TempPathFactory, events: list[dict[str, Any]], number: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    with psycopg.connect(strange, autocommit=True) as connection, Api(strange) as api:
        last = connection.execute("select max(day) from awf.event_days").fetchone()
        day = ((last and last[0]) or DAY) + timedelta(days=1)
        connection.execute("select awf.open_batch(%s, 0)", [day])
        for event in events:
            insert(connection, day, event)
        query = "select e, e.assignments, e.ctid from awf.turn_events as e order by ts, id"
        before = [row[:2] for row in connection.execute(query)]
        totals = rows(strange, TOTALS)
        (done,) = [one for one in archive.run(api, day + timedelta(days=1), folder) if one.day == day]
        assert done.rows == len(events)
        assert connection.execute("select to_regclass(%s)", [f"awf.{Path(done.file).stem}"]).fetchone() == (
            None,
        )
        archive.restore(api, day, folder)
        assert [row[:2] for row in connection.execute(query)] == before
        assert rows(strange, TOTALS) == totals
        connection.execute(f"delete from awf.turn_events where ts >= '{day}'".encode())


def insert(connection: Connection, day: date, event: dict[str, Any]) -> None:
    columns = dict(event, ts=datetime(day.year, day.month, day.day, tzinfo=UTC) + event["ts"])
    for name in ("extra", "attributes"):
        if columns[name] is not None:
            document = columns[name]
            columns[name] = Jsonb(document, dumps=lambda value: json.dumps(value, default=float))
    names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
    query = f"insert into awf.turn_events ({names}) values ({marks})"
    connection.execute(query.encode(), list(columns.values()))
