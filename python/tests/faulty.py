"""What the fault tests break things with, a proxy that cuts connections, and what they count afterwards."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, Self

import psycopg

from awf_pg import Awf

Connection = psycopg.Connection[tuple[Any, ...]]
Way = Literal["up", "down"]  # to the server, to the client
Fault = Callable[[Way, bytes], bytes]
"""Sees what passes one connection and returns what is passed on, or raises Cut."""

PATIENCE_S = 90.0


class Cut(Exception):
    """End the connection: pass `last` on, do `then`, close both sides."""

    def __init__(self, last: bytes, then: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.last = last
        self.then = then


def nothing(_: Way, data: bytes) -> bytes:
    """No fault."""
    return data


class Proxy:
    """Stands on TCP before a server on a Unix socket; every connection gets a fault of its own."""

    def __init__(self, server: Path) -> None:
        self.cuts: list[Way] = []
        self._server = str(server)
        self._new_fault: Callable[[], Fault] = lambda: nothing
        self._faults: dict[socket.socket, Fault] = {}  # by the client's end
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, name="proxy")
        self._thread.start()

    def inject(self, new_fault: Callable[[], Fault]) -> None:
        """Another kind of fault, in the open connections too."""
        self._new_fault = new_fault
        for client in list(self._faults):
            self._faults[client] = new_fault()

    def dsn(self, database: str) -> str:
        """For a writer. Neither TLS nor Kerberos is asked for: the first byte is of the client's greeting."""
        port = self._listener.getsockname()[1]
        return (
            f"host=127.0.0.1 port={port} user=t_writer dbname={database} sslmode=disable gssencmode=disable"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._listener, *self._faults):
            _end(one)
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        with ExitStack() as links:
            while True:
                try:
                    client, _ = self._listener.accept()
                except OSError:
                    return  # The proxy is closed.
                link = threading.Thread(target=self._link, args=[client], name="proxy-link")
                link.start()
                links.callback(link.join)

    def _link(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            try:
                server.connect(self._server)
            except OSError:
                return  # The server is away; so the client is sent away.
            self._faults[client] = self._new_fault()
            up = threading.Thread(target=self._pump, args=["up", client, client, server], name="proxy-up")
            up.start()
            self._pump("down", client, server, client)
            up.join()
            del self._faults[client]

    def _pump(self, way: Way, link: socket.socket, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                target.sendall(self._faults[link](way, data))
        except Cut as cut:
            self.cuts.append(way)
            with suppress(OSError):
                target.sendall(cut.last)
            cut.then()
        except OSError:
            pass  # The other pump has ended the connection, or one of its sides.
        finally:
            _end(source)
            _end(target)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


def cut_after(way: Way, offset: int) -> Fault:
    """Cut when exactly so many bytes have passed that way."""
    left = offset

    def fault(passing: Way, data: bytes) -> bytes:
        nonlocal left
        if passing == way:
            if len(data) > left:
                raise Cut(data[:left])
            left -= len(data)
        return data

    return fault


class Trap:
    """Waits on all connections for bytes that pass one way, after others that passed the same connection.

    Springs once. `hold` runs before the bytes are passed on; with `cut` the connection ends behind them (or
    before them: `swallow`) and `cut` runs after that.
    """

    def __init__(
        self,
        *steps: tuple[Way, bytes],
        hold: Callable[[], object] | None = None,
        cut: Callable[[], object] | None = None,
        swallow: bool = False,
    ) -> None:
        self.sprung = threading.Event()
        self._steps = [(way, re.compile(pattern, re.DOTALL)) for way, pattern in steps]
        self._hold, self._cut, self._swallow = hold, cut, swallow

    def watch(self) -> Fault:
        """The fault of one connection."""
        steps = iter(self._steps)
        step = next(steps, None)
        seen = bytearray()
        lock = threading.Lock()

        def fault(way: Way, data: bytes) -> bytes:
            nonlocal step
            with lock:
                if self.sprung.is_set() or step is None or way != step[0]:
                    return data
                seen.extend(data)
                found = step[1].search(seen)
                if found is None:
                    return data
                step = next(steps, None)
                behind = len(seen) - (found.start() if self._swallow else found.end())
                seen.clear()
                if step is not None:
                    return data
                self.sprung.set()
            if self._hold is not None:
                self._hold()
            if self._cut is not None:
                raise Cut(data[: max(0, len(data) - behind)], self._cut)
            return data

        return fault


class Player:
    """A game in a process of its own (tests/player.py), and what it has said."""

    def __init__(self, log: Path, env: Mapping[str, str], *options: str) -> None:
        self.playing: list[str] = []
        self.played: list[str] = []
        self.settled = 0
        self.said: list[str] = []
        self.log = log
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.player", *options],
                env=os.environ | env | {"PYTHONPATH": str(Path(__file__).parents[1])},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def listen(self, *, played: int | None = None, settled: int = 0) -> None:
        """Read what it says until so many more turns are played and settled, or to its end.

        It waits where nobody listens.
        """
        assert self.process.stdout is not None
        more = sys.maxsize if played is None else played
        played, settled = len(self.played) + more, self.settled + settled
        while len(self.played) < played or self.settled < settled:
            words = self.process.stdout.readline().split()
            match words:
                case []:
                    return
                case ["playing", id]:
                    self.playing.append(id)
                case ["played", id]:
                    self.played.append(id)
                case ["settled", number]:
                    self.settled = int(number)
                case _:
                    self.said.append(" ".join(words))

    def end(self, sent: signal.Signals | None = None) -> int:
        """Its exit status, after a signal or by itself; what it still says is heard."""
        if sent is not None:
            self.process.send_signal(sent)
        self.listen()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(PATIENCE_S)

    @property
    def acknowledged(self) -> list[str]:
        """The turns that it knows to be stored or durable."""
        return self.played[: self.settled]


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S:.0f} s for: {what}"
        time.sleep(0.005)


def play(awf: Awf, turns: int, session_id: str = "s") -> list[str]:
    """Play turns; their ids."""
    ids = []
    for number in range(turns):
        turn = awf.turn(session_id=session_id, player_id=f"p-{number}", world_ref="w", adventure_ref="a")
        with turn:
            turn["outputTokens"] = number
        ids.append(turn.id)
    return ids


@contextmanager
def connected(dsn: str) -> Iterator[Connection]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


def stored_ids(dsn: str) -> list[str]:
    with connected(dsn) as connection:
        return [row[0] for row in connection.execute("select id::text from awf.turn_events order by id")]


def assert_stored(dsn: str, expected: list[str]) -> None:
    """Exactly these events are stored, each once, and the rollups count each once."""
    stored = stored_ids(dsn)
    lost, strange = set(expected) - set(stored), set(stored) - set(expected)
    assert not lost, f"{len(lost)} of {len(expected)} events lost"
    assert not strange, f"{len(strange)} events stored that nobody recorded"
    assert stored == sorted(expected), "events stored twice"
    with connected(dsn) as connection:
        while connection.execute("select batches from awf.refresh_rollups()").fetchone() != (0,):
            pass
        counted = connection.execute(
            "select coalesce(sum(n[1]), 0) from awf.daily_totals where variation_id = 0"
        ).fetchone()
    assert counted == (len(expected),), "the rollups count otherwise"


def spooled_ids(spool: Path) -> list[str]:
    """Ids of the events in a spool, in their order."""
    if not spool.exists():
        return []
    with closing(sqlite3.connect(spool)) as database:
        if not database.execute("select 1 from sqlite_schema").fetchall():
            return []  # It has just been made.
        batches = database.execute("select events from batches order by seq").fetchall()
    return [event["id"] for (events,) in batches for event in json.loads(events)]


def reversed_copy(spool: Path) -> Path:
    """A copy of a spool that holds the same events in reverse order."""
    copy = spool.with_name(f"{spool.name}-reversed")
    shutil.copyfile(spool, copy)
    with closing(sqlite3.connect(copy)) as database, database:
        batches = database.execute("select seq, events from batches order by seq").fetchall()
        for (seq, _), (_, events) in zip(batches, reversed(batches), strict=True):
            turned = json.dumps(json.loads(events)[::-1])
            database.execute("update batches set events = ? where seq = ?", [turned, seq])
    return copy
