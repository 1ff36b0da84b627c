"""Day partitions come into being on demand, under whatever goes on at the same time."""

from __future__ import annotations

import threading
from contextlib import closing
from datetime import datetime
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from awf_pg.connect import Source
from awf_pg.copy import Writer
from awf_pg.event import Event
from tests.conftest import Connect

DAY = "2025-01-15"
COUNT = "select count(*) from pg_inherits where inhparent = 'awf.turn_events'::regclass"


def open_batch(connection: psycopg.Connection[tuple[Any, ...]], day: str = DAY) -> str:
    row = connection.execute("select table_name from awf.open_batch(%s, 1)", [day]).fetchone()
    assert row is not None
    return str(row[0])


def test_two_writers_of_a_new_day_make_one_partition(connect: Connect) -> None:
    first, second = connect("writer"), connect("writer")
    assert open_batch(first) == "awf.turn_events_20250115"
    names: list[str] = []
    waiting = threading.Thread(target=lambda: names.append(open_batch(second)))
    waiting.start()
    first.commit()
    waiting.join(20)
    second.commit()
    assert names == ["awf.turn_events_20250115"]
    assert connect().execute(COUNT).fetchone() == (1,)


def test_a_writer_that_rolls_back_leaves_no_partition(connect: Connect) -> None:
    writer = connect("writer")
    open_batch(writer)
    writer.rollback()
    assert connect().execute(COUNT).fetchone() == (0,)
    assert open_batch(writer) == "awf.turn_events_20250115"


def test_a_snapshot_from_before_the_partition_does_not_hide_it(connect: Connect) -> None:
    late, writer = connect("writer"), connect("writer")
    late.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    late.execute("select 1")
    open_batch(writer)
    writer.commit()
    assert open_batch(late) == "awf.turn_events_20250115"
    late.commit()


@pytest.mark.parametrize("role", ["none", "reader", "analyst", "writer", "admin"])
def test_no_role_can_hold_the_locks_of_ingest_and_rollups(connect: Connect, role: str) -> None:
    stranger = connect(role)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        stranger.execute("select from awf.locks for update")
    stranger.rollback()
    # What a role can take are advisory locks, and neither ingest nor refresh uses one.
    stranger.execute("select pg_advisory_xact_lock(hashtext(name)) from unnest(array['awf.rollups']) as name")
    owner = connect()
    owner.execute("set lock_timeout = '5s'")
    open_batch(owner)
    assert owner.execute("select batches from awf.refresh_rollups()").fetchone() is not None
    before = owner.execute(
        "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
    ).fetchone()
    assert before == (0,)


# Days that leave

GONE = "select awf._detach_day(%s)::text"


def record(connection: psycopg.Connection[tuple[Any, ...]], day: str = DAY) -> None:
    connection.execute(
        "select awf.record_turn(jsonb_build_object('ts', %s::text, 'session_id', 's', 'world_ref', 'w',"
        " 'adventure_ref', 'a', 'player_hash', repeat('ab', 32)))",
        [f"{day}T10:00:00Z"],
    )


def store(connect: Connect, *days: str) -> None:
    """An event on each day, rolled up."""
    owner = connect(autocommit=True)
    for day in days:
        record(owner, day)
    owner.execute("select awf.refresh_rollups()")


def test_a_reader_keeps_its_day_and_blocks_nobody(connect: Connect) -> None:
    store(connect, DAY, "2025-01-16")
    reader, owner, writer = connect("analyst"), connect(autocommit=True), connect("writer")
    reader.execute("select count(*) from awf.turn_events")
    assert owner.execute(GONE, [DAY]).fetchone() == (None,)
    assert owner.execute("select count(*) from awf.event_days").fetchone() == (0,)
    # What was locked for the try is free again, in the same transaction too.
    with owner.transaction():
        assert owner.execute(GONE, [DAY]).fetchone() == (None,)
        writer.execute("set lock_timeout = '100ms'")
        open_batch(writer, "2025-01-20")
        writer.commit()
        connect("analyst", autocommit=True).execute("select count(*) from awf.turn_events")
    reader.commit()
    assert owner.execute(GONE, [DAY]).fetchone() == ("awf.turn_events_20250115",)


@pytest.mark.parametrize("wrote", [True, False])
def test_an_open_batch_keeps_its_day(connect: Connect, wrote: bool) -> None:
    """Between open_batch() and the COPY nothing is locked by PostgreSQL itself."""
    store(connect, DAY)
    writer, owner = connect("writer"), connect(autocommit=True)
    open_batch(writer)
    if wrote:
        record(writer)
    assert owner.execute(GONE, [DAY]).fetchone() == (None,)
    writer.commit()
    with pytest.raises(psycopg.Error, match="not closed: batches that wait for a refresh: ") as refused:
        owner.execute(GONE, [DAY])
    assert refused.value.sqlstate == "WF302"
    owner.execute("select awf.refresh_rollups()")
    assert owner.execute(GONE, [DAY]).fetchone() == ("awf.turn_events_20250115",)


def test_a_recompute_keeps_its_day(connect: Connect) -> None:
    store(connect, DAY)
    admin, owner = connect("admin"), connect(autocommit=True)
    admin.execute("select awf.rollup_daily(%s)", [DAY])
    assert owner.execute(GONE, [DAY]).fetchone() == (None,)
    admin.rollback()
    assert owner.execute(GONE, [DAY]).fetchone() == ("awf.turn_events_20250115",)


def test_a_writer_that_waits_is_told_that_the_day_is_gone(connect: Connect) -> None:
    store(connect, DAY, "2025-01-16")
    owner, writer = connect(), connect("writer")
    owner.execute(GONE, [DAY])
    outcome: list[str | None] = []

    def write() -> None:
        try:
            open_batch(writer)
        except psycopg.Error as error:
            outcome.append(error.sqlstate)
            writer.rollback()
        turns = "select accepted, rejected from awf.record_lines(%s)"
        line = '{"ts": "%s", "session_id": "s", "player_hash": "%s", "world_ref": "w", "adventure_ref": "a"}'
        lines = "\n".join(line % (f"{day}T11:00:00Z", "ab" * 32) for day in (DAY, "2025-01-16"))
        outcome.append(str(writer.execute(turns, [lines]).fetchone()))
        writer.commit()

    waiting = threading.Thread(target=write)
    waiting.start()
    owner.commit()
    waiting.join(20)
    assert outcome == ["WF301", "(1, 1)"]


@pytest.mark.parametrize("dropped", [True, False])
def test_an_old_snapshot_does_not_make_a_gone_day_anew(connect: Connect, dropped: bool) -> None:
    store(connect, DAY)
    late, owner = connect("writer"), connect()
    late.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    late.execute("select 1")
    owner.execute(GONE, [DAY])
    if dropped:
        owner.execute("select awf._drop_day(%s)", [DAY])
    owner.commit()
    with pytest.raises(psycopg.errors.SerializationFailure):
        open_batch(late)
    late.rollback()
    with pytest.raises(psycopg.Error) as refused:
        open_batch(late)
    assert refused.value.sqlstate == "WF301"


def test_a_snapshot_cannot_decide_that_a_day_is_closed(connect: Connect) -> None:
    store(connect, DAY)
    owner = connect()
    owner.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with pytest.raises(psycopg.Error) as refused:
        owner.execute(GONE, [DAY])
    assert refused.value.sqlstate == "WF106"


def test_a_detached_table_in_use_is_dropped_later(connect: Connect) -> None:
    store(connect, DAY)
    owner, export = connect(autocommit=True), connect()
    owner.execute(GONE, [DAY])
    export.execute("select count(*) from awf.turn_events_20250115")
    assert owner.execute("select awf._drop_day(%s)", [DAY]).fetchone() == (False,)
    assert owner.execute("select state from awf.event_days").fetchone() == ("detached",)
    export.commit()
    assert owner.execute("select awf._drop_day(%s)", [DAY]).fetchone() == (True,)


def test_the_client_keeps_events_of_a_gone_day_aside(connect: Connect, db: str) -> None:
    store(connect, DAY)
    owner = connect(autocommit=True)
    owner.execute(GONE, [DAY])
    times = [datetime.fromisoformat(f"{day}T10:00Z") for day in (DAY, "2025-01-16")]
    events = [Event("s", bytes(32), "w", "a", ts=ts) for ts in times]
    with closing(Writer(Source(make_conninfo(db, user="t_writer"), None, "test"))) as writer:
        written = writer.write(events)
    assert (written.path, written.accepted, written.rejected) == ("careful", 1, 1)
    assert owner.execute("select reason from awf.rejected_events").fetchall() == [("day_gone",)]
