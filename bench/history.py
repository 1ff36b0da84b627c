"""Made-up events of thirty days, in batches that a refresh takes, and the refresh itself.

2 variations, 5 locales, 20 worlds, 100 adventures and 4 models, each with any other; ten turns a session.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta

from psycopg import sql

from .events import Connection

DAYS = 30
FIRST = datetime(2025, 1, 1, tzinfo=UTC)
TURNS = 10
BATCH = 500
# A quarter of 24 GB of memory for the buffers, as the manual of PostgreSQL recommends. The WAL takes pages as
# a whole behind a checkpoint, as everywhere but in a server for tests; checkpoints come when asked for.
SETTINGS = {
    "shared_buffers": "6GB", "maintenance_work_mem": "512MB",
    "full_page_writes": "on", "checkpoint_timeout": "1h", "max_wal_size": "16GB",
}  # fmt: skip
KEY = "awf-default-test"

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
    %(day)s::timestamp at time zone 'UTC'
    + (s * 86000.0 / (1 + %(sessions)s) + %(start)s + t * %(pace)s) * interval '1 second',
    (select min(batch_id) from logged) + n / %(batch)s, gen_random_uuid(),
    md5(%(day)s || '-' || s), sha256(convert_to('player-' || s %% %(players)s, 'UTF8')),
    1 + s / 10 %% 20, 21 + s / 7 %% 100, 121 + s / 2 %% 5, 126 + s / 3 %% 4, array[1 + s %% 2],
    random() < 0.01,
    (400000 + 300000 * exp(2 * random()))::integer, (300000 + 300000 * exp(2 * random()))::integer,
    (20000 + 20000 * random())::integer, (1000 + 500 * random())::integer,
    (200 + exp(5 + 2 * random()))::integer,
    (random() * 1.05)::integer, 0, (random() * 8)::integer, 3, 3, 1
from generate_series(0, %(events)s - 1) as n
cross join lateral (select %(first)s + n / %(turns)s as s, n %% %(turns)s as t) as x
"""


class History:
    """The events on one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._pid = connection.info.backend_pid
        self._sessions = [0] * DAYS  # of each day so far
        self._returns = [0] * DAYS  # how often they have gone on
        for kind, count in {"world": 20, "adventure": 100, "locale": 5, "model": 4}.items():
            values = [f"en-{chr(65 + n) * 2}" if kind == "locale" else f"{kind}-{n}" for n in range(count)]
            connection.execute("select awf.dimension_ids(%s, %s)", [kind, values])
        connection.execute("select awf.start_experiment(%s)", [KEY])

    def grow(self, events: int) -> None:
        """Add history until there are so many events, rolled up."""
        row = self.connection.execute("select count(*) from awf.turn_events").fetchone()
        assert row is not None
        for day in range(DAYS):
            self.add(day, (events - row[0]) // DAYS)
        self.refresh()
        for table in ("turn_events", "unit_totals", "player_days", "exposures", "histograms", "daily_totals"):
            self.connection.execute(sql.SQL("vacuum analyze awf.{}").format(sql.Identifier(table)))

    def add(self, day: int, events: int, *, known: bool = False, turns: int = TURNS) -> None:
        """New sessions of a day, or further turns of those that are there."""
        new = events // turns
        first = 0 if known else self._sessions[day]
        self._sessions[day] = max(self._sessions[day], first + new)
        self._returns[day] += known
        given = {
            "day": str(date_of(day)), "events": events, "batch": BATCH, "first": first,
            "turns": turns, "sessions": self._sessions[day], "players": 20_000,
            # What goes on does so behind the turns that are there.
            "start": TURNS * 30 + self._returns[day] if known else 0, "pace": 0.1 if known else 30,
        }  # fmt: skip
        # As the owner of the others: a partition of somebody else's could not be looked after by a refresh.
        with self.connection.transaction():
            self.connection.execute("set local role awf_owner")
            self.connection.execute("select awf._ensure_partition(%s)", [given["day"]])
        self.connection.execute(EVENTS, given)

    def refresh(self) -> int:
        """Roll up all that waits; how many events that were."""
        taken = 0
        while True:
            row = self.connection.execute("select events from awf.refresh_rollups()").fetchone()
            assert row is not None
            if row[0] == 0:
                return taken
            taken += row[0]

    def waiting(self) -> str:
        """The condition on turn_events as e that selects the events of the waiting batches."""
        row = self.connection.execute(
            "select min(batch_id), max(batch_id) from awf.ingest_log where rolled_up_at is null"
        ).fetchone()
        assert row is not None
        return "e.batch_id between (select {}) and (select {})".format(*row)

    def cpu_seconds(self) -> float:
        """What the server's process has taken of its core, user and system."""
        # The process's clock, numbered as clock_getcpuclockid() of Linux does; /proc tells ticks of 10 ms.
        return time.clock_gettime((~self._pid << 3) | 2)


def date_of(day: int) -> date:
    return (FIRST + timedelta(days=day)).date()
