"""Day partitions come into being on demand, under whatever goes on at the same time."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

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
