"""What the ways into the database cost, side by side, in one process and on one server.

    python -m bench.ingest [--rows 100000] [--batch 5000] [--rounds 5] [--writers 1]

The limit is this process sending the same events by the same code, a superuser's binary COPY straight into
the day's partition of a twin of turn_events: the same columns and indexes, the same batches and commits, but
no constraints, no ledger, no guard. Beside it stands the same COPY of rows that were encoded beforehand. Ours
are the client's two paths as an unprivileged writer, and the SQL functions. Prints medians as a Markdown
table. The server is a temporary one that does not sync its files.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg import sql

from awf_pg import copy
from awf_pg.connect import Source
from awf_pg.copy import Writer
from awf_pg.event import Event
from tests import servers

from . import events

LIMIT = "limit: COPY by a superuser into an unprotected twin"
WAYS = [
    LIMIT,
    "the same, rows encoded beforehand",
    "direct path, as a writer",
    "careful path, as a writer",
    "record_turns(), 1,000 documents a call",
    "record_turn(), a commit each",
]

TWIN = """
create schema bench;
create table bench.twin (like awf.turn_events including indexes) partition by range (ts);
alter table bench.twin alter batch_id set default 0, alter created_at set default now();
"""

# JSON is slow: a part of the rows is enough.
DOCUMENTS = 20_000
SINGLE = 2_000

Batches = list[list[Event]]


def event(number: int) -> Event:
    """A turn of a game with 20 worlds, 100 adventures, 12 locales and 4 models; all metrics are known."""
    session = number // 10
    return Event(
        session_id=f"session-{session}",
        player_hash=hashlib.sha256(f"player-{session % 5000}".encode()).digest(),
        world_ref=f"world-{1 + session % 20}",
        adventure_ref=f"adventure-{1 + session % 100}",
        locale=f"en-{chr(65 + session % 12) * 2}",
        model=f"model-{1 + number % 4}",
        metrics={
            "turnLatencyMs": 800.5 + number % 1000,
            "modelLatencyMs": 700.25 + number % 900,
            "bundleMs": 40.0 + number % 9,
            "bundleTokens": 1200 + number % 300,
            "outputTokens": 300 + number % 1000,
            "retries": 0,
            "fallbacks": 0,
            "toolCalls": number % 8,
            "acts": number % 6,
            "choices": number % 4,
            "timeAdvanceTicks": 1,
        },
    )


class Lane:
    """One writer's connections: a superuser's for the limit, a client's for our paths."""

    def __init__(self, server: servers.Server, day: datetime) -> None:
        self.owner = psycopg.connect(server.dsn_of(servers.TEMPLATE), autocommit=True)
        self.client = psycopg.connect(server.dsn_of(servers.TEMPLATE, "t_writer"), autocommit=True)
        self.writer = Writer(Source(server.dsn_of(servers.TEMPLATE, "t_writer"), None, "bench"))
        self.twin = sql.SQL(f"bench.twin_{day:%Y%m%d}")

    def close(self) -> None:
        self.writer.close()
        self.client.close()
        self.owner.close()

    def prepare(self, way: str, batches: Batches) -> Callable[[], None]:
        """What is to be timed; the numbers of worlds and so on are known, as in a client at work."""
        numbers = self.writer._dimensions
        numbers.load(self.writer._source, [one for batch in batches for one in batch])
        if way == LIMIT:
            return lambda: self._copy([map(numbers.direct_row, batch) for batch in batches])
        if way == WAYS[1]:
            encoded = [[numbers.direct_row(one) for one in batch] for batch in batches]
            return lambda: self._copy(encoded)
        if way == WAYS[2]:
            return lambda: each(self.writer.direct, batches)
        if way == WAYS[3]:
            return lambda: each(self.writer.careful, batches)
        documents = [one.to_json() for batch in batches for one in batch]
        if way == WAYS[4]:
            arrays = [json.dumps(documents[n : n + 1000]) for n in range(0, len(documents), 1000)]
            return lambda: self._call("select * from awf.record_turns(%s::jsonb)", arrays)
        return lambda: self._call("select awf.record_turn(%s::jsonb)", list(map(json.dumps, documents)))

    def _copy(self, batches: Sequence[object]) -> None:
        for rows in batches:
            with self.owner.transaction():
                copy._copy(self.owner, self.twin, copy._DIRECT, rows)  # type: ignore[arg-type]

    def _call(self, query: str, documents: list[str]) -> None:
        for document in documents:
            self.client.execute(query.encode(), [document])


def each(store: Callable[[list[Event]], object], batches: Batches) -> None:
    for batch in batches:
        store(batch)


def rate_of(owner: events.Connection, lanes: list[Lane], way: str, rows: int, size: int) -> float:
    """Events a second that all lanes together store."""
    rows = min(rows, {WAYS[4]: DOCUMENTS, WAYS[5]: SINGLE}.get(way, rows)) // len(lanes)
    owner.execute("truncate awf.turn_events, awf.ingest_log, bench.twin")
    owner.execute("checkpoint")
    works = []
    for number, lane in enumerate(lanes):
        made = [event(number * rows + n) for n in range(rows)]
        works.append(lane.prepare(way, [made[n : n + size] for n in range(0, rows, size)]))
    threads = [threading.Thread(target=work) for work in works]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    counted = owner.execute(
        "select (select count(*) from awf.turn_events) + (select count(*) from bench.twin)"
    ).fetchone()
    assert counted == (rows * len(lanes),), f"{rows * len(lanes)} sent, {counted} stored"
    return rows * len(lanes) / seconds


def make_twin(owner: events.Connection, day: datetime) -> None:
    owner.execute(TWIN.encode())
    # The events are made as they are sent, perhaps around midnight.
    for start in (day, day + timedelta(days=1)):
        owner.execute(
            sql.SQL("create table {} partition of bench.twin for values from ({}) to ({})").format(
                sql.Identifier("bench", f"twin_{start:%Y%m%d}"), start, start + timedelta(days=1)
            )
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="The ways into the database, side by side.")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--writers", type=int, default=1)
    arguments = parser.parse_args()
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with servers.temporary_server(settings={"max_wal_size": "8GB"}) as server:
        servers.create_template(server)
        with psycopg.connect(server.dsn_of(servers.TEMPLATE), autocommit=True) as owner:
            make_twin(owner, day)
            lanes = [Lane(server, day) for _ in range(arguments.writers)]
            rates: dict[str, list[float]] = {way: [] for way in WAYS}
            for _ in range(arguments.rounds):
                for way in WAYS:
                    rates[way].append(rate_of(owner, lanes, way, arguments.rows, arguments.batch))
            for lane in lanes:
                lane.close()
    print(
        f"{arguments.rows:,} rows, batches of {arguments.batch:,}, writers: {arguments.writers}, "
        f"medians of {arguments.rounds}\n"
    )
    print("| way | events/s | of the limit |\n|---|---|---|")
    limit = statistics.median(rates[LIMIT])
    for way, measured in rates.items():
        rate = statistics.median(measured)
        print(f"| {way} | {rate:,.0f} | {rate / limit:.2f} |")


if __name__ == "__main__":
    main()
