"""What a refresh costs an event, by part, and whether the cost follows the new events alone.

    python -m bench.refresh [--history 1 5 20] [--new 100000] [--rounds 5]

One server holds so many million events of history, spread over 30 days, 2 variations, 5 locales, 20 worlds,
100 adventures and 4 models, ten turns a session. New events come in batches of 500: into the last day, all
of new sessions, or spread over all days, into sessions that are there. A refresh takes them. The time is
that of the server's process on its core (user and system), so that other programs disturb it little. The
parts are timed apart, each in a transaction that is rolled back. The exit status is 1 when a refresh takes
fewer than 150,000 new events a second, or the cost of one grows with the history.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg import sql

from tests import servers

from .events import Connection

DAYS = 30
FIRST = datetime(2025, 1, 1, tzinfo=UTC)
TURNS = 10
BATCH = 500
RATE, GROWTH = 150_000, 1.15
SETTINGS = {"max_wal_size": "16GB", "shared_buffers": "4GB", "maintenance_work_mem": "512MB"}

# The parts of a refresh; each reads the events and groups them for itself here, and all together do so once.
PARTS = {
    "reading the events": [],
    "totals: day, hour, adventure, model": ["totals"],
    "histograms: day, month, run": ["histograms"],
    "exposures and crossovers": ["exposures"],
    "units, players, moments": ["units"],
    "all together": ["totals", "histograms", "exposures", "units"],
}

# Event number n of a day, turn t of session s. Arithmetic, with a little chance in the measured values.
EVENTS = """
with logged as (
    insert into awf.ingest_log (day, path, rows, role_name)
    select %(day)s::date, 'direct', least(%(batch)s, %(events)s - b * %(batch)s), 'bench'
    from generate_series(0, (%(events)s - 1) / %(batch)s) as b
    returning batch_id
)
insert into awf.turn_events (
    ts, batch_id, id, session_id, player_hash, world_id, adventure_id, locale_id, model_id, assignments,
    failed, turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens, retries, fallbacks,
    tool_calls, acts, choices, time_advance_ticks
)
select
    %(day)s::timestamp at time zone 'UTC' + (s * 86000.0 / (1 + %(sessions)s) + t * 30) * interval '1 second',
    (select min(batch_id) from logged) + n / %(batch)s, gen_random_uuid(),
    md5(%(day)s || '-' || s), sha256(convert_to('player-' || s %% %(players)s, 'UTF8')),
    1 + s %% 20, 21 + s %% 100, 121 + s %% 5, 126 + s %% 4, array[1 + s %% 2], random() < 0.01,
    (400000 + 300000 * exp(2 * random()))::integer, (300000 + 300000 * exp(2 * random()))::integer,
    (20000 + 20000 * random())::integer, (1000 + 500 * random())::integer,
    (200 + exp(5 + 2 * random()))::integer,
    (random() * 1.05)::integer, 0, (random() * 8)::integer, 3, 3, 1
from generate_series(0, %(events)s - 1) as n
cross join lateral (select %(first)s + n / %(turns)s as s, n %% %(turns)s as t) as x
"""


class Bench:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pid = connection.info.backend_pid
        self._sessions = [0] * DAYS  # of each day so far
        for kind, count in {"world": 20, "adventure": 100, "locale": 5, "model": 4}.items():
            values = [f"en-{chr(65 + n) * 2}" if kind == "locale" else f"{kind}-{n}" for n in range(count)]
            connection.execute("select awf.dimension_ids(%s, %s)", [kind, values])
        connection.execute("select awf.start_experiment('awf-default-test')")

    def grow(self, events: int) -> None:
        """Add history until there are so many events, rolled up."""
        row = self._connection.execute("select count(*) from awf.turn_events").fetchone()
        assert row is not None
        for day in range(DAYS):
            self.add(day, (events - row[0]) // DAYS)
        self._refresh()
        for table in ("turn_events", "unit_totals", "player_days", "exposures", "histograms", "daily_totals"):
            self._connection.execute(sql.SQL("vacuum analyze awf.{}").format(sql.Identifier(table)))

    def add(self, day: int, events: int, *, known: bool = False) -> None:
        """New sessions of a day, or further turns of those that are there."""
        new = events // TURNS
        first = 0 if known else self._sessions[day]
        self._sessions[day] = max(self._sessions[day], first + new)
        given = {
            "day": str((FIRST + timedelta(days=day)).date()), "events": events, "batch": BATCH,
            "first": first,
            "turns": TURNS, "sessions": self._sessions[day], "players": 20_000,
        }  # fmt: skip
        self._connection.execute("select awf._ensure_partition(%s)", [given["day"]])
        self._connection.execute(EVENTS, given)

    def current_day(self, events: int) -> None:
        self.add(DAYS - 1, events)

    def spread(self, events: int) -> None:
        for day in range(DAYS):
            self.add(day, events // DAYS, known=True)

    def cost(self, bring: Callable[[int], None], events: int) -> float:
        """Microseconds of the refresh for each new event."""
        bring(events)
        self._connection.execute("checkpoint")
        began = self._cpu_seconds()
        taken = self._refresh()
        return (self._cpu_seconds() - began) / taken * 1e6

    def parts(self, events: int) -> dict[str, float]:
        """Microseconds an event of each part, for new events of the last day."""
        self.add(DAYS - 1, events)
        day = str((FIRST + timedelta(days=DAYS - 1)).date())
        waiting = self._connection.execute(
            "select min(batch_id), max(batch_id) from awf.ingest_log where rolled_up_at is null"
        ).fetchone()
        assert waiting is not None
        condition = "e.batch_id between {} and {}".format(*waiting)
        costs = {}
        for name, parts in PARTS.items():
            with self._connection.transaction(force_rollback=True):
                began = self._cpu_seconds()
                self._connection.execute("select awf._merge_events(%s, %s, %s)", [day, condition, parts])
                costs[name] = (self._cpu_seconds() - began) / events * 1e6
        self._refresh()
        return costs

    def _refresh(self) -> int:
        taken = 0
        while True:
            row = self._connection.execute("select events from awf.refresh_rollups()").fetchone()
            assert row is not None
            if row[0] == 0:
                return taken
            taken += row[0]

    def _cpu_seconds(self) -> float:
        with open(f"/proc/{self._pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    parser = argparse.ArgumentParser(
        description="What a refresh costs, and whether it follows the new events alone."
    )
    parser.add_argument("--history", type=float, nargs="+", default=[1, 5, 20], help="million events")
    parser.add_argument("--new", type=int, default=100_000, help="events of a refresh")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    costs: dict[str, list[float]] = {"current day": [], "spread": []}
    with servers.temporary_server(settings=SETTINGS) as server:
        servers.create_template(server)
        with psycopg.connect(server.dsn_of(servers.TEMPLATE), autocommit=True) as connection:
            bench = Bench(connection)
            ways = {"current day": bench.current_day, "spread": bench.spread}
            print("| history | new events | microseconds an event | events/s |\n|---|---|---|---|")
            for millions in arguments.history:
                bench.grow(int(millions * 1e6))
                for name, bring in ways.items():
                    measured = [bench.cost(bring, arguments.new) for _ in range(arguments.rounds)]
                    costs[name].append(statistics.median(measured))
                    print(
                        f"| {millions:g} M | {name} | {costs[name][-1]:.2f} | {1e6 / costs[name][-1]:,.0f} |",
                        flush=True,
                    )
            print("\n| part | microseconds an event |\n|---|---|")
            for name, cost in bench.parts(arguments.new).items():
                print(f"| {name} | {cost:.2f} |")
    missed = [
        f"{name}: an event costs {max(of) / of[0]:.2f} times as much with more history"
        for name, of in costs.items()
        if max(of) / of[0] > GROWTH
    ]
    if 1e6 / costs["current day"][0] < RATE:
        missed.append(f"current day: fewer than {RATE:,} events a second")
    print("", *missed, sep="\n")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
