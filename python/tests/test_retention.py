"""Days go as wholes, whoever reads and writes at the same time, and whenever the server dies."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests import scale, servers
from tests.conftest import Connect
from tests.faulty import Proxy, Trap, wait_until

ROUNDS = scale.examples(20)
KEEP = 5  # days
EVENTS = 40  # on each day
Connection = psycopg.Connection[tuple[Any, ...]]


def today() -> date:
    return datetime.now(UTC).date()


def ago(days: int) -> date:
    return today() - timedelta(days=days)


def configure(owner: Connection, *, age: int, keep: int | None) -> None:
    owner.execute("select awf.set_setting('ingest_max_age_days', to_jsonb(%s::int))", [age])
    owner.execute("select awf.set_setting('events_keep_days', to_jsonb(%s::int))", [keep])


def record(connection: Connection, *days: date, events: int = EVENTS) -> None:
    """Events on days, all of which must be stored."""
    turn = {"player_hash": "ab" * 32, "world_ref": "w", "adventure_ref": "a"}
    turns = [
        turn | {"ts": f"{day}T{number % 24:02}:59:59.999999Z", "session_id": f"s-{number}"}
        for day in days
        for number in range(events)
    ]
    query = "select accepted, duplicate, rejected from awf.record_turns(%s)"
    assert connection.execute(query, [json.dumps(turns)]).fetchone() == (len(turns), 0, 0)


def stored(connection: Connection) -> dict[date, int]:
    query = "select (ts at time zone 'UTC')::date, count(*) from awf.turn_events group by 1"
    return dict(connection.execute(query).fetchall())


def attached(connection: Connection) -> set[date]:
    query = """select to_date(right(inhrelid::regclass::text, 8), 'YYYYMMDD')
    from pg_inherits where inhparent = 'awf.turn_events'::regclass"""
    return {day for (day,) in connection.execute(query)}


def counted(connection: Connection) -> dict[date, int]:
    """Events by day, as the rollups count them."""
    query = """select day, sum(n[1])::int from awf.daily_totals
    where variation_id = 0 group by day"""
    return dict(connection.execute(query).fetchall())


def states(connection: Connection) -> dict[date, str]:
    return dict(connection.execute("select day, state from awf.event_days").fetchall())


def tables(connection: Connection) -> set[date]:
    """Days that have a table, whatever it is attached to."""
    query = (
        "select to_date(right(relname, 8), 'YYYYMMDD') from pg_class where relname ~ '^turn_events_[0-9]{8}$'"
    )
    return {day for (day,) in connection.execute(query)}


def apply(connection: Connection, max_days: int = 31) -> dict[date, str]:
    query = "select day, action from awf.apply_retention(p_max_days => %s)"
    return dict(connection.execute(query, [max_days]).fetchall())


def test_a_reader_makes_retention_give_up_and_nobody_waits(connect: Connect) -> None:
    owner, admin, reader = connect(autocommit=True), connect("admin", autocommit=True), connect("analyst")
    old = [ago(KEEP + 1), ago(KEEP + 2)]
    record(owner, *old, today())
    owner.execute("select awf.refresh_rollups()")
    configure(owner, age=KEEP, keep=KEEP)
    reader.execute("select count(*) from awf.turn_events")
    # Whoever comes while retention waits for its lock is let through when it gives up.
    late = connect("writer", autocommit=True)
    waited: list[float] = []

    def write() -> None:
        wait_until(lambda: waits(owner, "turn_events"), "retention to wait for its lock")
        begun = time.monotonic()
        record(late, today(), events=1)
        waited.append(time.monotonic() - begun)

    writing = threading.Thread(target=write)
    writing.start()
    assert apply(admin) == dict.fromkeys(old, "kept: locked")
    writing.join(20)
    assert len(waited) == 1
    assert waited[0] < 5
    assert states(owner) == {}
    assert stored(reader).keys() == {*old, today()}
    reader.commit()
    owner.execute("select awf.refresh_rollups()")
    assert apply(admin) == dict.fromkeys(old, "dropped")
    assert stored(reader) == {today(): EVENTS + 1}


def test_one_day_in_use_does_not_stop_the_others(connect: Connect) -> None:
    owner, admin, vacuum = connect(autocommit=True), connect("admin", autocommit=True), connect()
    used, free = ago(KEEP + 2), ago(KEEP + 1)
    record(owner, used, free)
    owner.execute("select awf.refresh_rollups()")
    configure(owner, age=KEEP, keep=KEEP)
    vacuum.execute(f"lock table awf.turn_events_{used:%Y%m%d} in share update exclusive mode".encode())
    assert apply(admin) == {used: "kept: locked", free: "dropped"}
    assert states(owner) == {free: "dropped"}
    vacuum.rollback()
    assert apply(admin) == {used: "dropped"}


def test_writers_and_retention_at_once(connect: Connect) -> None:
    """Two writers that make new days, one that makes days ahead, and retention, over and over."""
    owner = connect(autocommit=True)
    old = [ago(KEEP + 1 + number) for number in range(scale.examples(40))]
    kept = [ago(number) for number in range(KEEP)]
    record(owner, *old)
    owner.execute("select awf.refresh_rollups()")
    configure(owner, age=KEEP, keep=KEEP)
    done = threading.Event()
    failures: list[BaseException] = []
    written: list[int] = []

    def repeat(role: str, step: Callable[[Connection, int], None]) -> None:
        try:
            with connect(role, autocommit=True) as connection:
                number = 0
                while not done.is_set():
                    step(connection, number)
                    number += 1
                written.append(number)
        except BaseException as failure:
            failures.append(failure)

    steps: list[tuple[str, Callable[[Connection, int], None]]] = [
        ("writer", lambda connection, _: record(connection, *kept, events=2)),
        ("writer", lambda connection, _: record(connection, *reversed(kept), events=2)),
        ("admin", lambda connection, _: made_ahead(connection)),
        ("admin", lambda connection, _: refreshed(connection)),
    ]
    threads = [threading.Thread(target=repeat, args=step) for step in steps]
    for thread in threads:
        thread.start()
    dropped: set[date] = set()
    with connect("admin", autocommit=True) as admin:
        while dropped != set(old) and not failures:
            actions = apply(admin, max_days=1)
            assert set(actions.values()) <= {"dropped", "kept: locked", "kept: next run"}
            dropped |= {day for day, action in actions.items() if action == "dropped"}
            time.sleep(0.05)
    done.set()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert len(written) == len(steps)
    assert min(written) > 0
    counts = stored(owner)
    assert set(counts) == set(kept)
    assert len(set(counts.values())) == 1
    assert states(owner) == dict.fromkeys(old, "dropped")
    assert tables(owner) == attached(owner) >= set(kept)
    owner.execute("select awf.refresh_rollups()")
    totals = "select day, sum(n[1])::int from awf.daily_totals where variation_id = 0 group by 1"
    assert dict(owner.execute(totals.encode()).fetchall()) == counts | dict.fromkeys(old, EVENTS)


def made_ahead(connection: Connection) -> None:
    connection.execute("select count(*) from awf.ensure_partitions()")


def refreshed(connection: Connection) -> None:
    connection.execute("select awf.refresh_rollups()")


def waits(connection: Connection, relation: str) -> bool:
    query = "select exists (select from pg_locks where not granted and relation = %s::regclass)"
    return connection.execute(query, [f"awf.{relation}"]).fetchone() == (True,)


# A server that is killed


def killed_at_random(mortal: servers.MortalServer, game: str) -> None:
    with psycopg.connect(mortal.dsn_of(game, "t_admin"), autocommit=True) as admin:
        call = threading.Thread(target=quietly, args=[lambda: apply(admin)])
        call.start()
        time.sleep(random.uniform(0, 0.06))
        mortal.kill()
        call.join(20)


def killed_in_between(mortal: servers.MortalServer, game: str) -> None:
    """The first day is detached and not yet recorded."""
    with (
        suppress(psycopg.OperationalError),
        psycopg.connect(mortal.dsn_of(game)) as blocker,
        psycopg.connect(mortal.dsn_of(game, "t_admin"), autocommit=True) as admin,
    ):
        blocker.execute("lock table awf.event_days in share mode")
        call = threading.Thread(target=quietly, args=[lambda: apply(admin)])
        call.start()
        wait_until(lambda: waits(blocker, "event_days"), "retention to record a day")
        mortal.kill()
        call.join(20)


def killed_after_commit(mortal: servers.MortalServer, game: str) -> None:
    """The days are gone, and who asked for it never hears of it."""
    trap = Trap(("down", rb"C\0\0\0\x0bCOMMIT\0"), cut=mortal.kill, swallow=True)
    with Proxy(mortal.socket) as proxy:
        proxy.inject(trap.watch)
        dsn = proxy.dsn(game).replace("user=t_writer", "user=t_admin")
        with suppress(psycopg.OperationalError), psycopg.connect(dsn) as admin:
            apply(admin)
            admin.commit()
    assert trap.sprung.is_set()


def quietly(call: Callable[[], object]) -> None:
    with suppress(psycopg.OperationalError):
        call()


@pytest.mark.parametrize("kill", [killed_at_random, killed_in_between, killed_after_commit])
def test_server_killed_while_days_go(
    mortal: servers.MortalServer, game: str, kill: Callable[[servers.MortalServer, str], None]
) -> None:
    """After a restart each day is there or gone as a whole; after one more run all of them are gone."""
    kept: dict[date, int] = {}
    gone: set[date] = set()
    for number in range(ROUNDS):
        # Days that no round had before: a dropped day takes no events.
        old = {ago(20 + 10 * number + offset) for offset in range(4)}
        with psycopg.connect(mortal.dsn_of(game), autocommit=True) as owner:
            configure(owner, age=3650, keep=None)
            record(owner, *old, today(), ago(KEEP - 1))
            owner.execute("select awf.refresh_rollups()")
            configure(owner, age=KEEP, keep=KEEP)
            kept = {day: kept.get(day, 0) + EVENTS for day in (today(), ago(KEEP - 1))}
        kill(mortal, game)
        mortal.start()
        with psycopg.connect(mortal.dsn_of(game), autocommit=True) as owner:
            dropped = states(owner)
            left = old - dropped.keys()
            if kill is killed_in_between:
                assert left == old
            elif kill is killed_after_commit:
                assert left == set()
            assert dropped == dict.fromkeys(gone | (old - left), "dropped")
            assert stored(owner) == kept | dict.fromkeys(left, EVENTS)
            assert tables(owner) == attached(owner) == kept.keys() | left
            assert apply(owner) == dict.fromkeys(left, "dropped")
            gone |= old
            assert stored(owner) == kept
            assert states(owner) == dict.fromkeys(gone, "dropped")
            assert tables(owner) == attached(owner) == kept.keys()
            assert counted(owner) == kept | dict.fromkeys(gone, EVENTS)
