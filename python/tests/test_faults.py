"""Whatever breaks, and whenever: the client goes on by itself, no event is lost and none is stored twice.

Every test injects its fault many times (at least twenty in full) and compares the ids of what was recorded
with the ids of what is stored.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from itertools import cycle
from typing import Any

import psycopg
import pytest

from awf_pg import Awf, Settings
from tests import scale, servers
from tests.faulty import PATIENCE_S, Fault, Proxy, Trap, assert_stored, cut_after, nothing, play, wait_until

ROUNDS = scale.examples(20)
BATCH = 100
SETTINGS: dict[str, Any] = {
    "player_hash_key": "a key of more than sixteen bytes",
    "analytics_batch_max": BATCH,
    "analytics_batch_ms": 20,
    "experiments_enabled": False,
}

StartClient = Callable[..., Awf]


@pytest.fixture(scope="module")
def mortal() -> Iterator[servers.MortalServer]:
    with servers.mortal_server() as running:
        servers.create_template(running)
        yield running


@pytest.fixture
def game(mortal: servers.MortalServer) -> Iterator[str]:
    """The name of a fresh database on the server that may be killed."""
    name = f"t_{uuid.uuid4().hex}"
    mortal.create_database(name, servers.TEMPLATE)
    yield name
    if not (mortal.data / "postmaster.pid").exists():
        mortal.start()  # for the next test; this one has failed
    mortal.drop_database(name)


@pytest.fixture
def proxy(mortal: servers.MortalServer) -> Iterator[Proxy]:
    with Proxy(mortal.socket) as running:
        yield running


@pytest.fixture
def start(proxy: Proxy) -> Iterator[StartClient]:
    """Start clients that end with the test."""
    with ExitStack() as started:

        def start_client(dsn: str, **settings: Any) -> Awf:
            awf = Awf(dsn, settings=Settings(**SETTINGS | settings), application_name="victim")
            started.callback(awf.close, timeout=0)
            return awf

        yield start_client


def settled(awf: Awf) -> bool:
    return bool(awf.stats()["queue_depth"] == 0)


def test_the_count_can_fail(mortal: servers.MortalServer, game: str, start: StartClient) -> None:
    dsn = mortal.dsn_of(game)
    awf = start(dsn)
    ids = play(awf, 3)
    assert awf.flush(PATIENCE_S)
    assert_stored(dsn, ids)
    with pytest.raises(AssertionError, match="1 of 4 events lost"):
        assert_stored(dsn, [*ids, str(uuid.uuid4())])
    with pytest.raises(AssertionError, match="1 events stored that nobody recorded"):
        assert_stored(dsn, ids[1:])
    awf.record(id=ids[0], session_id="s", player_id="p", world_ref="w", adventure_ref="a")  # at another time
    assert awf.flush(PATIENCE_S)
    with pytest.raises(AssertionError, match="stored twice"):
        assert_stored(dsn, ids)


COMMITTED = rb"C\0\0\0\x0bCOMMIT\0"  # the server's answer


@pytest.mark.parametrize("moment", ["during COPY", "after COMMIT before the reply"])
def test_server_killed(
    mortal: servers.MortalServer, game: str, proxy: Proxy, start: StartClient, moment: str
) -> None:
    """The server dies with a part of a batch received, or with the batch committed and not answered."""

    def crash() -> None:
        mortal.kill()
        mortal.start()

    awf = start(proxy.dsn(game))
    ids: list[str] = []
    for _ in range(ROUNDS):
        if moment == "during COPY":
            trap = Trap(("up", rb"PGCOPY.{%d}" % random.randrange(BATCH * 80)), cut=crash)
        else:
            trap = Trap(("up", rb"PGCOPY"), ("down", COMMITTED), cut=crash, swallow=True)
        proxy.inject(trap.watch)
        ids += play(awf, BATCH)
        wait_until(lambda: settled(awf), "the client to go on")
        assert trap.sprung.is_set()
        assert_stored(mortal.dsn_of(game), ids)
    stored_unanswered = 0 if moment == "during COPY" else ROUNDS * BATCH
    assert awf.stats()["duplicate"] == stored_unanswered


def test_server_killed_during_ingest_batch(
    mortal: servers.MortalServer, game: str, proxy: Proxy, start: StartClient
) -> None:
    """The server dies while ingest_batch() waits for a lock: before its rejects, its texts, its events."""
    awf = start(proxy.dsn(game))
    ids = play(awf, BATCH)
    assert awf.flush(PATIENCE_S)
    tables = cycle(["rejected_events", "dimensions", f"turn_events_{datetime.now(UTC):%Y%m%d}"])
    for killed in range(1, ROUNDS + 1):
        with closing(psycopg.connect(mortal.dsn_of(game))) as blocker:
            lock = partial(
                blocker.execute, f"lock table awf.{next(tables)} in access exclusive mode".encode()
            )
            trap = Trap(("up", rb"awf\.ingest_batch\(\)"), hold=lock)
            proxy.inject(trap.watch)
            ids += play(awf, BATCH - 1)
            play_badly(awf)  # so the direct path refuses the batch
            wait_until(trap.sprung.is_set, "the client to call ingest_batch()")
            wait_until(lambda: ingest_waits(blocker), "ingest_batch() to wait for the lock")
            mortal.kill()
        mortal.start()
        wait_until(lambda: settled(awf), "the client to go on")
        assert_stored(mortal.dsn_of(game), ids)
        assert awf.stats()["rejected"] == killed


def play_badly(awf: Awf) -> None:
    with awf.turn(session_id="s", player_id="p", world_ref="w", adventure_ref="a") as turn:
        turn["retries"] = -1


def ingest_waits(connection: psycopg.Connection[Any]) -> bool:
    query = """select 1 from pg_stat_activity
        where application_name = 'victim' and wait_event_type = 'Lock' and query like '%ingest_batch%'"""
    return connection.execute(query).rowcount == 1


def test_connection_cut_anywhere(
    mortal: servers.MortalServer, game: str, proxy: Proxy, start: StartClient
) -> None:
    """Each connection is cut at a byte of its own, up or down; small offsets are as likely as large."""
    wanted = 20 * ROUNDS

    def new_fault() -> Fault:
        if len(proxy.cuts) >= wanted:
            return nothing
        if random.random() < 0.5:
            return cut_after("up", int(10 ** random.uniform(0, 5)))
        return cut_after("down", int(10 ** random.uniform(0, 3.5)))

    proxy.inject(new_fault)
    awf = start(proxy.dsn(game))
    ids: list[str] = []
    while len(proxy.cuts) < wanted:
        ids += play(awf, BATCH // 2)
        awf.flush(0.05)  # does not wait for the pause after a failure
    proxy.inject(lambda: nothing)
    assert awf.flush(PATIENCE_S)
    assert_stored(mortal.dsn_of(game), ids)
    assert set(proxy.cuts) == {"up", "down"}
