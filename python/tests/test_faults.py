"""Whatever breaks, and whenever: the client goes on by itself, no event is lost and none is stored twice.

Every test injects its fault many times (at least twenty in full) and compares the ids of what was recorded
with the ids of what is stored.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest

from awf_pg import Awf, Settings
from tests import scale, servers
from tests.faulty import (
    PATIENCE_S,
    Fault,
    Player,
    Proxy,
    Trap,
    Way,
    assert_stored,
    connected,
    cut_after,
    nothing,
    play,
    reversed_copy,
    spooled_ids,
    stored_ids,
    wait_until,
)
from tests.player import HANDLED

ROUNDS = scale.examples(20)
BATCH = 100
ENV = {
    "AWF_PLAYER_HASH_KEY": "a key of more than sixteen bytes",
    "ANALYTICS_BATCH_MAX": str(BATCH),
    "ANALYTICS_BATCH_MS": "20",
    "EXPERIMENTS_ENABLED": "false",
}


class StartClient(Protocol):
    """A client with the rights of a writer; further settings by their variables."""

    def __call__(self, dsn: str, spool: Path | None = None, **env: str) -> Awf: ...


class StartPlayer(Protocol):
    """A game in another process, by default at the server itself."""

    def __call__(self, *options: str, spool: Path | None = None, dsn: str | None = None) -> Player: ...


@pytest.fixture
def proxy(mortal: servers.MortalServer) -> Iterator[Proxy]:
    with Proxy(mortal.socket) as running:
        yield running


@pytest.fixture
def start() -> Iterator[StartClient]:
    """Start clients that end with the test."""
    with ExitStack() as started:

        def start_client(dsn: str, spool: Path | None = None, **env: str) -> Awf:
            settings = Settings.from_env({**ENV, "AWF_SPOOL_FILE": str(spool or ""), **env})
            awf = Awf(dsn, settings=settings, application_name="victim")
            started.callback(awf.close, timeout=0)
            return awf

        yield start_client


@pytest.fixture
def player(mortal: servers.MortalServer, game: str, tmp_path: Path) -> Iterator[StartPlayer]:
    """Start games in other processes; they are killed at the end of the test."""
    with ExitStack() as started:

        def start_player(*options: str, spool: Path | None = None, dsn: str | None = None) -> Player:
            where = {"AWF_DATABASE_URL": dsn or mortal.dsn_of(game, "t_writer")}
            log = tmp_path / f"{uuid.uuid4().hex}.log"
            made = Player(log, {**ENV, **where, "AWF_SPOOL_FILE": str(spool or "")}, *options)
            started.enter_context(made.process)
            started.callback(made.process.kill)
            return made

        yield start_player


def settled(awf: Awf) -> bool:
    """Whether all is stored; no flush() has hurried it."""
    stats = awf.stats()
    return bool(stats["queue_depth"] == 0 and stats.get("spool_events", 0) == 0)


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
    # A batch goes out when it is full and not before, so that the bad event never stands alone in one.
    awf = start(proxy.dsn(game), ANALYTICS_BATCH_MS="600000")
    ids = play(awf, BATCH)
    assert awf.flush(PATIENCE_S)
    tables = cycle(["rejected_events", "dimensions", f"turn_events_{datetime.now(UTC):%Y%m%d}"])
    for killed in range(1, ROUNDS + 1):
        with closing(psycopg.connect(mortal.dsn_of(game))) as blocker:
            lock = partial(
                blocker.execute, f"lock table awf.{next(tables)} in access exclusive mode".encode()
            )
            trap = Trap(("up", rb"awf\.ingest_batch\("), hold=lock)
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
    connection.execute("select pg_stat_clear_snapshot()")  # Else a transaction sees what it saw first.
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


# The server is away for a while

AWAY_S = 30.0 if scale.FULL else 2.0


@pytest.mark.parametrize("spool", [False, True], ids=["in memory", "with a spool"])
def test_server_stopped(
    mortal: servers.MortalServer, game: str, start: StartClient, tmp_path: Path, spool: bool
) -> None:
    """Many clients, each with turns all the time, while the server is away."""
    dsn = mortal.dsn_of(game, "t_writer")
    clients = [start(dsn, spool=tmp_path / f"{number}" if spool else None) for number in range(ROUNDS)]
    ids = [id for awf in clients for id in play(awf, 10)]
    assert all(awf.flush(PATIENCE_S) for awf in clients)
    back = threading.Event()

    def play_on(awf: Awf) -> list[str]:
        played = []
        while not back.wait(0.05):
            played += play(awf, 5)
        return played

    mortal.kill()
    with ThreadPoolExecutor(len(clients)) as pool:
        games = [pool.submit(play_on, awf) for awf in clients]
        back.wait(AWAY_S)
        mortal.start()
        back.set()
    ids += [id for one in games for id in one.result()]
    wait_until(lambda: all(map(settled, clients)), "the clients to go on")
    assert_stored(mortal.dsn_of(game), ids)
    assert [awf.stats()["dropped"] for awf in clients] == [0] * len(clients)
    if spool:
        assert all(awf.stats()["spooled"] > 0 for awf in clients)


# The client is killed

WHEN_AWAY = ["from the beginning", "while the game plays", "until the spool is replayed"]


def test_client_killed_with_a_spool(
    mortal: servers.MortalServer, game: str, player: StartPlayer, tmp_path: Path
) -> None:
    """kill -9; what the client knew to be durable is stored by a later process from the spool."""
    dsn = mortal.dsn_of(game)
    for number, away in zip(range(ROUNDS), cycle(WHEN_AWAY), strict=False):
        spool = tmp_path / f"{number}"
        if away == "from the beginning":
            mortal.kill()
        victim = player(spool=spool)
        if away != "from the beginning":
            victim.listen(played=random.randrange(300), settled=1)
            mortal.kill()
        victim.listen(played=random.randrange(500), settled=1)
        wait_until(partial(holds_events, spool), "something in the spool")
        if away == "until the spool is replayed":
            mortal.start()
            victim.listen(played=random.randrange(500))
        assert victim.end(signal.SIGKILL) == -signal.SIGKILL
        if away != "until the spool is replayed":
            mortal.start()
        wait_until(lambda: not connections(dsn, "victim"), "the server to end the sessions of the dead")
        before, waiting = stored_ids(dsn), spooled_ids(spool)
        assert waiting or away == "until the spool is replayed"
        assert not set(victim.acknowledged) - set(before) - set(waiting)
        later = player("--turns=0", spool=spool)
        assert later.end() == 0
        assert later.said == ["ready", "stored"]
        assert_stored(dsn, sorted({*before, *waiting}))
        assert spooled_ids(spool) == []


def holds_events(spool: Path) -> bool:
    return bool(spooled_ids(spool))


def connections(dsn: str, application: str) -> int:
    with connected(dsn) as connection:
        query = "select 1 from pg_stat_activity where application_name = %s"
        return connection.execute(query, [application]).rowcount


# The spool takes no more


@pytest.mark.parametrize("limit", ["size limit", "full file system"])
def test_spool_takes_no_more(
    mortal: servers.MortalServer,
    game: str,
    start: StartClient,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    limit: str,
) -> None:
    """What does not fit is kept in memory up to the bound, then dropped and counted."""
    dsn = mortal.dsn_of(game, "t_writer")
    full = limit == "full file system"
    folder = request.getfixturevalue("small_file_system") if full else tmp_path
    recorded: list[str] = []
    dropped = 0
    for number in range(ROUNDS):
        mortal.kill()
        limits = {"AWF_QUEUE_MAX": "2000"} | ({} if full else {"AWF_SPOOL_MAX_MB": "1"})
        awf = start(dsn, spool=folder / f"{number}", **limits)
        while awf.stats()["dropped"] < 1000 or awf.stats()["spool_bytes"] < 500_000:
            recorded += play(awf, 100)
        assert awf.stats()["spool_events"] > 0
        assert awf.stats()["queue_depth"] > 0
        mortal.start()
        wait_until(partial(settled, awf), "the client to go on")
        dropped += awf.stats()["dropped"]
        assert awf.close()
        assert awf.stats()["spool_events"] == 0
        stored = stored_ids(mortal.dsn_of(game))
        assert len(set(stored)) == len(stored) == len(recorded) - dropped
        assert not set(stored) - set(recorded)


# A signal ends the client


@pytest.mark.parametrize(
    ("sent", "handler", "statuses"),
    [
        (signal.SIGTERM, None, {-signal.SIGTERM, 128 + signal.SIGTERM}),
        (signal.SIGTERM, "before", {HANDLED}),
        (signal.SIGTERM, "after", {HANDLED}),
        (signal.SIGINT, None, {-signal.SIGINT, 128 + signal.SIGINT}),
    ],
)
def test_signal_mid_batch(
    mortal: servers.MortalServer,
    game: str,
    proxy: Proxy,
    player: StartPlayer,
    sent: signal.Signals,
    handler: str | None,
    statuses: set[int],
) -> None:
    """It comes while the server has a part of a batch; the game's own handler stays in force."""
    dsn = mortal.dsn_of(game)
    ids: set[str] = set()
    for _ in range(ROUNDS):
        victim = player(*([f"--handler={handler}"] if handler else []), dsn=proxy.dsn(game))
        trap = Trap(
            ("up", rb"PGCOPY.{%d}" % random.randrange(BATCH * 80)),
            hold=partial(victim.process.send_signal, sent),
        )
        proxy.inject(trap.watch)
        status = victim.end()
        assert trap.sprung.is_set()
        assert status in statuses, victim.log.read_text()
        assert ("handled" in victim.said) == bool(handler)
        # A turn may be recorded and not yet said to be.
        ids |= set(victim.played) | (set(victim.playing) & set(stored_ids(dsn)))
        assert len(victim.playing) <= len(victim.played) + 1
        assert_stored(dsn, list(ids))


# Two replay the same


@pytest.mark.parametrize("copied", [False, True], ids=["one spool", "two copies"])
def test_two_processes_replay(
    mortal: servers.MortalServer,
    game: str,
    start: StartClient,
    player: StartPlayer,
    tmp_path: Path,
    copied: bool,
) -> None:
    """The copy holds the events in reverse order, so that each process waits for rows of the other one."""
    dsn = mortal.dsn_of(game)
    ids: list[str] = []
    for number in range(ROUNDS):
        spools = [tmp_path / f"{number}"] * 2
        mortal.kill()
        awf = start(mortal.dsn_of(game, "t_writer"), spool=spools[0])
        ids += play(awf, 10 * BATCH)
        assert awf.close()  # durable in the spool
        mortal.start()
        if copied:
            spools[1] = reversed_copy(spools[0])
        games = [player("--turns=0", spool=spool) for spool in spools]
        for one in games:
            assert one.end() == 0
            assert one.said == ["ready", "stored"]
            told = one.log.read_text()
            assert "Traceback" not in told
            assert "deadlock" not in told
        assert_stored(dsn, ids)
        assert [spooled_ids(spool) for spool in spools] == [[], []]


# A file of events


@pytest.mark.parametrize("timed", [True, False], ids=["with ts", "without ts"])
def test_file_without_ids(
    mortal: servers.MortalServer, game: str, proxy: Proxy, tmp_path: Path, timed: bool
) -> None:
    """A run is killed in one of its batches; the second one stores the rest, the third one nothing."""
    dsn, writer = mortal.dsn_of(game), mortal.dsn_of(game, "t_writer")
    sessions: list[str] = []
    for number in range(ROUNDS):
        file = tmp_path / f"{number}.jsonl"
        of_file = [f"{number}-{line}" for line in range(5 * BATCH)]
        file.write_text("".join(line_of(session, timed) for session in of_file))
        run = Ingest(file, proxy.dsn(game))
        earlier = random.randrange(5)
        batches: list[tuple[Way, bytes]] = [("up", rb"PGCOPY")] * earlier
        trap = Trap(*batches, ("up", rb"PGCOPY.{500}"), hold=run.process.kill)
        proxy.inject(trap.watch)
        assert run.end() == -signal.SIGKILL
        wait_until(lambda: not connections(dsn, "awf-pg ingest"), "the server to end the session of the dead")
        done = len(stored_ids(dsn)) - len(sessions)
        assert done in (earlier * BATCH, (earlier + 1) * BATCH)
        sessions += of_file

        second = Ingest(file, writer)
        assert second.end() == 0, second.said
        assert f"{len(of_file) - done} accepted, {done} duplicate, 0 rejected, 0 bad lines" in second.said
        third = Ingest(file, writer)
        if timed:
            assert third.end() == 0, third.said
            assert f"0 accepted, {len(of_file)} duplicate, 0 rejected, 0 bad lines" in third.said
        else:
            assert third.end() == 1
            assert "WF206" in third.said
        assert_stored(dsn, stored_ids(dsn))
        with connected(dsn) as connection:
            stored = connection.execute("select session_id from awf.turn_events").fetchall()
        assert sorted(row[0] for row in stored) == sorted(sessions)


def line_of(session: str, timed: bool) -> str:
    event = {"session_id": session, "player_hash": "ab" * 32, "world_ref": "w", "adventure_ref": "a"}
    return json.dumps(event | ({"ts": datetime.now(UTC).isoformat()} if timed else {})) + "\n"


class Ingest:
    """awf-pg ingest, a process of its own."""

    def __init__(self, file: Path, dsn: str) -> None:
        command = [sys.executable, "-c", "from awf_pg.cli import main; main()", "ingest", str(file)]
        self.process = subprocess.Popen(
            [*command, f"--batch={BATCH}", f"--dsn={dsn}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = ""

    def end(self) -> int:
        """Its exit status."""
        self.said, _ = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode
