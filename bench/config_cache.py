"""What it costs a turn to know its configuration: from the client's memory, from Redis, from the database.

    python -m bench.config_cache [--experiments 3,30] [--turns 1000] [--rounds 5] [--changes 20]

Redis is no dependency of the project. `apt-get install redis-server` brings the peer, `--redis PATH` names
another one; without it the peer is left out. It runs for this measurement only, on a Unix socket just like
PostgreSQL, and is asked by a client of a few lines, which is quicker than a full one. Its answers were put
there beforehand, so that no turn waits for the database.

Prints Markdown tables. The servers are temporary ones.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from awf_pg.config import ConfigCache
from awf_pg.connect import Source
from awf_pg.evaluate import Evaluator
from tests import servers

Connection = psycopg.Connection[Any]

DEFAULTS = {"maxOutputTokens": 1200, "toolMaxCalls": 6, "maxChoices": 4}
ATTRIBUTES = {"locale": "en-US", "world": "world-1", "adventure": "adventure-1", "model": "model-1"}


class Redis:
    """GET and SET."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._answers = self._socket.makefile("rb")

    def get(self, key: str) -> bytes:
        size = int(self._ask(b"GET", key.encode())[1:])
        return self._answers.read(size + 2)[:-2]

    def set(self, key: str, value: bytes) -> None:
        assert self._ask(b"SET", key.encode(), value) == b"+OK\r\n"

    def close(self) -> None:
        self._answers.close()
        self._socket.close()

    def _ask(self, *words: bytes) -> bytes:
        parts = [b"*%d\r\n" % len(words), *(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)]
        self._socket.sendall(b"".join(parts))
        return self._answers.readline()


@contextmanager
def redis_server(program: str | None) -> Iterator[Redis | None]:
    """A Redis that is gone when the block ends; None where there is no such program."""
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="awf-redis.") as folder:
        path = Path(folder) / "socket"
        process = subprocess.Popen(
            [program, "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
        )
        try:
            for _ in range(200):
                if path.exists():
                    break
                time.sleep(0.01)
            peer = Redis(path)
            yield peer
            peer.close()
        finally:
            process.terminate()
            process.wait()


class Ways:
    """The ways of a turn to its params; each answers for one unit."""

    def __init__(self, connection: Connection, peer: Redis | None, units: list[str]) -> None:
        self.connection, self.peer = connection, peer
        document = self.fetch()
        self.size = len(json.dumps(document))
        self.evaluator = Evaluator(document)
        if peer is not None:
            peer.set("config", json.dumps(document).encode())
            peer.set("revision", b"%d" % self.evaluator.revision)
            for unit in units:
                given = self.from_memory(unit)
                peer.set(f"turn:{unit}", json.dumps(given).encode())

    def fetch(self) -> Any:
        row = self.connection.execute("select awf.active_config()").fetchone()
        assert row is not None
        return row[0]

    def from_memory(self, unit: str) -> list[Any]:
        given = self.evaluator.evaluate(unit, None, DEFAULTS, ATTRIBUTES)
        return [given.params, given.exposures]

    def answer_in_redis(self, unit: str) -> Any:
        assert self.peer is not None
        return json.loads(self.peer.get(f"turn:{unit}"))

    def revision_in_redis(self, unit: str) -> list[Any]:
        """The document stays in memory; every turn asks whether it is still the newest."""
        assert self.peer is not None
        if int(self.peer.get("revision")) != self.evaluator.revision:
            self.evaluator = Evaluator(json.loads(self.peer.get("config")))
        return self.from_memory(unit)

    def document_in_redis(self, unit: str) -> list[Any]:
        assert self.peer is not None
        given = Evaluator(json.loads(self.peer.get("config"))).evaluate(unit, None, DEFAULTS, ATTRIBUTES)
        return [given.params, given.exposures]

    def turn_params(self, unit: str) -> list[Any]:
        row = self.connection.execute(
            "select awf.turn_params(%s, null, %s, %s)", [unit, Jsonb(DEFAULTS), Jsonb(ATTRIBUTES)]
        ).fetchone()
        assert row is not None
        return [row[0]["params"], row[0]["exposures"]]

    def of_a_turn(self) -> dict[str, Callable[[str], Any]]:
        ways: dict[str, Callable[[str], Any]] = {"document in memory": self.from_memory}
        if self.peer is not None:
            ways["the turn's answer in Redis"] = self.answer_in_redis
            ways["document in memory, its revision in Redis"] = self.revision_in_redis
            ways["document in Redis"] = self.document_in_redis
        return ways | {"awf.turn_params()": self.turn_params}

    def of_a_minute(self) -> dict[str, Callable[[], object]]:
        """Fetching the document, ready to evaluate."""
        ways: dict[str, Callable[[], object]] = {"from PostgreSQL": lambda: Evaluator(self.fetch())}
        peer = self.peer
        if peer is not None:
            ways["from Redis"] = lambda: Evaluator(json.loads(peer.get("config")))
        return ways


def create_experiments(connection: Connection, numbers: range) -> None:
    """The first ones set a knob each, the others none: knobs of their own would have to be made for them."""
    halves = Jsonb([{"variation": "a", "percent": 50}, {"variation": "b", "percent": 50}])
    for n in numbers:
        key = f"experiment-{n}"
        params = dict([list(DEFAULTS.items())[n]]) if n < len(DEFAULTS) else {}
        connection.execute("select awf.create_experiment(%s, %s, %s, 'session')", [key, key, halves])
        for variation in ("a", "b"):
            connection.execute("select awf.create_variation(%s, %s, %s)", [key, variation, Jsonb(params)])
        connection.execute("select awf.start_experiment(%s)", [key])


def measure(ways: Ways, units: list[str], count: int, rounds: int) -> None:
    expected = [json.loads(json.dumps(ways.from_memory(unit))) for unit in units]
    # One after the other in each round, so that what disturbs disturbs all; the ratio is of the same round.
    taken: dict[str, list[list[float]]] = {name: [] for name in ways.of_a_turn()}
    for _ in range(rounds):
        for name, way in ways.of_a_turn().items():
            taken[name].append([])
            for unit, answer in zip(units, expected, strict=True):
                began = time.perf_counter()
                given = way(unit)
                taken[name][-1].append((time.perf_counter() - began) * 1e6)
                assert given == answer, name
    first = [statistics.median(some) for some in next(iter(taken.values()))]
    print(
        f"\n{count} running experiments, a document of {ways.size:,} bytes, {rounds} x {len(units):,} turns"
    )
    print("\n| a turn's params | us, p50 | us, p99 | ratio |\n|---|---|---|---|")
    for name, measured in taken.items():
        cuts = statistics.quantiles([one for some in measured for one in some], n=100)
        ratio = statistics.median(
            statistics.median(some) / one for some, one in zip(measured, first, strict=True)
        )
        print(f"| {name} | {cuts[49]:,.0f} | {cuts[98]:,.0f} | {ratio:,.1f} |")
    print("\n| the document, once a minute | ms |\n|---|---|")
    for title, fetch in ways.of_a_minute().items():
        fetched = []
        for _ in range(100):
            began = time.perf_counter()
            fetch()
            fetched.append((time.perf_counter() - began) * 1e3)
        print(f"| {title} | {statistics.median(fetched):.2f} |")


def measure_news(connection: Connection, dsn: str, changes: int) -> None:
    """From the commit of a change to the first turn that sees it."""
    cache = ConfigCache(Source(dsn, None, "bench"))
    taken = []
    for n in range(changes):
        connection.execute(
            "select awf.update_experiment('experiment-0', %s)", [Jsonb({"coverage": 0.5 + n % 2 / 2})]
        )
        began = time.perf_counter()
        row = connection.execute("select (awf.active_config() -> 'revision')::integer").fetchone()
        assert row is not None
        while cache.evaluator.revision < row[0]:
            time.sleep(0.001)
        taken.append((time.perf_counter() - began) * 1e3)
        # The next one is no part of the same burst.
        time.sleep(0.3)
    cache.close()
    print("\n| a change reaches a listening client | p50 ms | max ms |\n|---|---|---|")
    print(f"| {changes} changes | {statistics.median(taken):.0f} | {max(taken):.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description="What it costs a turn to know its configuration.")
    parser.add_argument("--experiments", default="3,30", help="how many run, one measurement each, rising")
    parser.add_argument("--turns", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--redis", default=shutil.which("redis-server"), help="the program redis-server")
    arguments = parser.parse_args()
    if arguments.redis is None:
        print("There is no redis-server (apt-get install redis-server): Redis is left out.")
    units = [f"session-{n}" for n in range(arguments.turns)]
    with redis_server(arguments.redis) as peer, servers.temporary_server() as server:
        servers.create_template(server)
        dsn = server.dsn_of(servers.TEMPLATE, "t_admin")
        with psycopg.connect(dsn, autocommit=True) as connection:
            running = 0
            for count in map(int, arguments.experiments.split(",")):
                create_experiments(connection, range(running, count))
                running = count
                measure(Ways(connection, peer, units), units, count, arguments.rounds)
            measure_news(connection, dsn, arguments.changes)


if __name__ == "__main__":
    main()
