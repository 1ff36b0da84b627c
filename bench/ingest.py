"""What the ways into the database cost, side by side, in one process and on one server.

    python -m bench.ingest [--batch 500 5000] [--writers 1 2 4] [--rounds 7] [--growth]

The limit is this process sending the same events by the same code, a superuser's binary COPY straight into
the day's partition of a twin of turn_events: the same columns and indexes, the same batches and commits, but
no constraints, no ledger, no guard. Ours are the client's two paths and the SQL functions, as an unprivileged
writer. Their peers write into the twin too: a recordset of JSON, and INSERTs with a commit each.

Each round takes all ways, every other round in reverse, and compares them with the limit of that round, so
that another program on the machine disturbs all of them alike; the table has the medians. What a way does to
an event before it is sent is timed too. --growth measures the direct path when a million events are stored in
one day's partition, and again when ten million are. The server is a temporary one with durable commits.
The exit status is 1 when a ratio is lower than it has to be.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from awf_pg import copy
from awf_pg.connect import Source
from awf_pg.copy import Writer
from awf_pg.event import Event
from tests import servers

from . import events

LIMIT = "COPY into the twin: the limit"
ENCODED = "the same, rows encoded beforehand"
DIRECT = "direct path"
CAREFUL = "careful path"
TURNS = "`record_turns()`"
RECORDSET = "JSON recordset into the twin"
TURN = "`record_turn()`, a commit each"
INSERT = "INSERT into the twin, a commit each"
ALL = [LIMIT, ENCODED, DIRECT, CAREFUL, TURNS, RECORDSET, TURN, INSERT]
COPIES = [LIMIT, DIRECT, CAREFUL]

DEMANDED = [(DIRECT, LIMIT, 0.85), (CAREFUL, LIMIT, 0.45), (DIRECT, INSERT, 40)]
GROWTH = 1.15

# Rows of a round: enough for a second or so of the faster ways, and less of the slow ones.
ROWS = {TURNS: 10_000, RECORDSET: 10_000, TURN: 1_000, INSERT: 1_000}
MANY = 60_000

SETTINGS = {
    "fsync": "on", "full_page_writes": "on", "synchronous_commit": "on",
    "max_wal_size": "16GB", "shared_buffers": "1GB",
}  # fmt: skip

TWIN = """
create schema bench;
create table bench.twin (like awf.turn_events including indexes) partition by range (ts);
alter table bench.twin alter batch_id set default 0, alter created_at set default now();
"""

EXPERIMENT, VARIATIONS = "awf-default-test", ("control", "treatment")

Batches = list[list[Event]]


def event(number: int) -> Event:
    """A turn of a game with 20 worlds, 100 adventures, 12 locales and 4 models, in one experiment."""
    session = number // 10
    return Event(
        session_id=f"session-{session}",
        player_hash=hashlib.sha256(f"player-{session % 5000}".encode()).digest(),
        world_ref=f"world-{1 + session % 20}",
        adventure_ref=f"adventure-{1 + session % 100}",
        locale=f"en-{chr(65 + session % 12) * 2}",
        model=f"model-{1 + number % 4}",
        assignments=(1 + session % 2,),
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


def batches_of(first: int, rows: int, size: int) -> Batches:
    made = [event(first + number) for number in range(rows)]
    return [made[start : start + size] for start in range(0, rows, size)]


class Lane:
    """One writer's connections: a superuser's for the twin, a client's for our paths."""

    def __init__(self, server: servers.Server, day: datetime) -> None:
        self.owner = psycopg.connect(server.dsn_of(servers.TEMPLATE), autocommit=True)
        self.client = psycopg.connect(server.dsn_of(servers.TEMPLATE, "t_writer"), autocommit=True)
        self.writer = Writer(Source(server.dsn_of(servers.TEMPLATE, "t_writer"), None, "bench"))
        self.partition = f"bench.twin_{day:%Y%m%d}"
        self.ways: dict[str, Callable[[list[Event]], object]] = {
            LIMIT: lambda batch: self._copy(map(self._row, batch)),
            ENCODED: self._copy,  # type: ignore[dict-item]
            DIRECT: self.writer.direct,
            CAREFUL: self.writer.careful,
            TURNS: self._record_turns,
            RECORDSET: self._insert_recordset,
            TURN: self._record_each,
            INSERT: self._insert_each,
        }

    def close(self) -> None:
        self.writer.close()
        self.client.close()
        self.owner.close()

    def prepare(self, way: str, batches: Batches) -> Callable[[], None]:
        """What is to be timed; the numbers of worlds and so on are known, as in a client at work."""
        self.writer._dimensions.load(self.writer._source, [one for batch in batches for one in batch])
        work: Any = [list(map(self._row, batch)) for batch in batches] if way == ENCODED else batches

        def run() -> None:
            for batch in work:
                self.ways[way](batch)

        return run

    def _row(self, one: Event) -> copy.Row:
        return self.writer._dimensions.direct_row(one)

    def _copy(self, rows: Iterable[copy.Row]) -> None:
        with self.owner.transaction():
            copy._copy(self.owner, self.partition, copy._DIRECT, rows)

    def _record_turns(self, batch: list[Event]) -> None:
        self.client.execute(
            "select * from awf.record_turns(%s::jsonb)", [json.dumps(list(map(document, batch)))]
        )

    def _record_each(self, batch: list[Event]) -> None:
        for one in batch:
            with self.client.transaction():
                self.client.execute("select awf.record_turn(%s::jsonb)", [json.dumps(document(one))])

    def _insert_recordset(self, batch: list[Event]) -> None:
        rows = [dict(zip(NAMES, self._plain_row(one), strict=True)) for one in batch]
        self.owner.execute(FROM_RECORDSET, [json.dumps(rows, default=str)])

    def _insert_each(self, batch: list[Event]) -> None:
        for one in batch:
            with self.owner.transaction():
                self.owner.execute(ONE_ROW, self._plain_row(one))

    def _plain_row(self, one: Event) -> list[Any]:
        """The columns of the direct path as values that any driver knows."""
        row = list(self._row(one))
        row[:4] = one.ts, UUID(bytes=one.id), one.session_id, rf"\x{one.player_hash.hex()}"
        row[8] = list(one.assignments)
        return row


def document(one: Event) -> dict[str, Any]:
    """The event as a service would send it that asked turn_params()."""
    named = [
        {"experiment": EXPERIMENT, "variation": VARIATIONS[number - 1], "id": number}
        for number in one.assignments
        if isinstance(number, int)
    ]
    return one.to_json() | {"assignments": named}


NAMES = [name for name, _ in copy._DIRECT]
ONE_ROW = sql.SQL("insert into bench.twin ({}) values ({})").format(
    sql.SQL(", ").join(map(sql.Identifier, NAMES)), sql.SQL(", ").join([sql.Placeholder()] * len(NAMES))
)
FROM_RECORDSET = sql.SQL(
    "insert into bench.twin ({0}) select {0} from jsonb_populate_recordset(null::bench.twin, %s::jsonb)"
).format(sql.SQL(", ").join(map(sql.Identifier, NAMES)))


class Bench:
    """A server with the two tables, and what is measured there."""

    def __init__(self, server: servers.Server, owner: events.Connection) -> None:
        self._server = server
        self._owner = owner
        self._day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        owner.execute(TWIN.encode())
        # The events are made as they are sent, perhaps around midnight.
        for start in (self._day, self._day + timedelta(days=1)):
            owner.execute(
                sql.SQL("create table {} partition of bench.twin for values from ({}) to ({})").format(
                    sql.Identifier("bench", f"twin_{start:%Y%m%d}"), start, start + timedelta(days=1)
                )
            )

    def compare(self, ways: list[str], size: int, writers: int, rounds: int) -> list[dict[str, float]]:
        """For each round, the events a second that all writers together store, by way."""
        lanes = [Lane(self._server, self._day) for _ in range(writers)]
        measured = []
        for number in range(rounds):
            ordered = ways if number % 2 == 0 else ways[::-1]
            measured.append({way: self._rate(lanes, way, size) for way in ordered})
        for lane in lanes:
            lane.close()
        return measured

    def grow(self, sizes: Sequence[int], rounds: int) -> Iterator[tuple[int, float]]:
        """The cost of an event on the direct path, in microseconds, with so many stored in one partition."""
        self._owner.execute("truncate awf.turn_events, awf.ingest_log, bench.twin")
        lane = Lane(self._server, self._day)
        stored = 0
        for wanted in sizes:
            while stored < wanted:
                lane.prepare(DIRECT, batches_of(stored, MANY, 5000))()
                stored += MANY
            costs = []
            for _ in range(rounds):
                work = lane.prepare(DIRECT, batches_of(stored, MANY, 5000))
                self._owner.execute("checkpoint")
                costs.append(seconds_of([work]) / MANY * 1e6)
                stored += MANY
            yield wanted, statistics.median(costs)
        lane.close()

    def _rate(self, lanes: list[Lane], way: str, size: int) -> float:
        rows = max(ROWS.get(way, MANY) // len(lanes), min(size, 5 * ROWS.get(way, MANY)))
        self._owner.execute("truncate awf.turn_events, awf.ingest_log, bench.twin")
        self._owner.execute("checkpoint")
        works = [lane.prepare(way, batches_of(n * rows, rows, size)) for n, lane in enumerate(lanes)]
        seconds = seconds_of(works)
        counted = self._owner.execute(
            "select (select count(*) from awf.turn_events) + (select count(*) from bench.twin)"
        ).fetchone()
        assert counted == (rows * len(lanes),), f"{rows * len(lanes)} sent, {counted} stored"
        return rows * len(lanes) / seconds


def seconds_of(works: list[Callable[[], None]]) -> float:
    """How long it takes to do all of them at once."""
    threads = [threading.Thread(target=work) for work in works]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def ratio_of(measured: list[dict[str, float]], way: str, base: str) -> float:
    return statistics.median(rates[way] / rates[base] for rates in measured)


def table_of(measured: list[dict[str, float]]) -> str:
    ways = [way for way in ALL if way in measured[0]]
    lines = ["| way | events/s | of the limit |", "|---|---|---|"]
    for way in ways:
        rate = statistics.median(rates[way] for rates in measured)
        lines.append(f"| {way} | {rate:,.0f} | {ratio_of(measured, way, LIMIT):.2f} |")
    return "\n".join(lines)


def missed_by(measured: list[dict[str, float]], title: str) -> list[str]:
    return [
        f"{title}: {way} is {ratio:.2f} times as fast as {base}, not {demanded}"
        for way, base, demanded in DEMANDED
        if base in measured[0] and (ratio := ratio_of(measured, way, base)) < demanded
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="The ways into the database, side by side.")
    parser.add_argument("--batch", type=int, nargs="+", default=[500, 5000])
    parser.add_argument("--writers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--growth", action="store_true", help="from one to ten million events, nothing else")
    arguments = parser.parse_args()
    missed = []
    with servers.temporary_server(settings=SETTINGS) as server:
        servers.create_template(server)
        with psycopg.connect(server.dsn_of(servers.TEMPLATE), autocommit=True) as owner:
            bench = Bench(server, owner)
            if arguments.growth:
                costs = dict(bench.grow([1_000_000, 10_000_000], arguments.rounds))
                print("| events stored | microseconds an event |\n|---|---|")
                for stored, cost in costs.items():
                    print(f"| {stored:,} | {cost:.2f} |")
                first, last = costs.values()
                print(f"\nCost at ten million: {last / first:.2f} of that at one million.")
                return int(last / first > GROWTH)
            for writers in arguments.writers:
                for size in arguments.batch:
                    ways = ALL if writers == 1 else COPIES
                    measured = bench.compare(ways, size, writers, arguments.rounds)
                    title = f"batches of {size:,}, writers: {writers}"
                    print(f"\n{title}; medians of {arguments.rounds}\n\n{table_of(measured)}", flush=True)
                    missed += missed_by(measured, title)
    print("", *missed, sep="\n")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
