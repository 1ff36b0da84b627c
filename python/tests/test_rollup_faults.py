"""A server that dies during a refresh or a backfill, and one that is restored while batches wait."""

from __future__ import annotations

import json
import random
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from awf_pg import Api
from awf_pg.connect import Source
from awf_pg.copy import Writer
from awf_pg.event import Event
from tests import recount, scale, servers
from tests.faulty import wait_until

ROUNDS = scale.examples(20)
DAYS = 3
BATCHES = 6
EVENTS = 400  # of a batch
FIRST = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
EXPERIMENTS = {"by-session": "session", "by-player": "player"}
LAST = FIRST + timedelta(days=DAYS)
CALLS = {
    "refresh": "select batches from awf.refresh_rollups()",
    "backfill": f"select count(*) from awf.backfill('{FIRST.date()}', '{LAST.date()}')",
}
Connection = psycopg.Connection[tuple[Any, ...]]


def prepare(dsn: str) -> None:
    """Two experiments that have always been running."""
    with Api(dsn) as api:
        for key, basis in EXPERIMENTS.items():
            api.create_experiment(
                key, key, [{"variation": v, "percent": 50} for v in "xy"], basis, start_at="2020-01-01"
            )
            for variation in "xy":
                api.create_variation(key, variation)
            api.start_experiment(key)


def turns(batch: int) -> list[dict[str, Any]]:
    """Of all days; sessions go on from batch to batch, and now and then one crosses over."""
    return [
        {
            "id": str(uuid.UUID(int=batch * EVENTS + number)),
            "ts": (FIRST + timedelta(seconds=(batch * EVENTS + number) * 97 % (DAYS * 86400))).isoformat(),
            "session_id": f"s-{number % 90}",
            "player_hash": f"{number % 5:064x}",
            "world_ref": f"w-{number % 3}",
            "adventure_ref": f"a-{number % 4}",
            "locale": ("en-US", "de-DE")[number % 2],
            "assignments": [
                {"experiment": key, "variation": "xy"[(number // 9 + batch * (number % 30 == 0)) % 2]}
                for key in EXPERIMENTS
            ],
            "metrics": {
                "turnLatencyMs": number * 7 % 1000,
                "outputTokens": number,
                "failed": number % 50 == 0,
            },
        }
        for number in range(EVENTS)
    ]


def record(dsn: str, batches: range) -> None:
    with psycopg.connect(dsn, autocommit=True) as writer:
        for batch in batches:
            counts = writer.execute(
                "select * from awf.record_turns(%s)", [json.dumps(turns(batch))]
            ).fetchone()
            assert counts == (EVENTS, 0, 0)


def refresh(connection: Connection) -> None:
    while connection.execute(CALLS["refresh"]).fetchone() != (0,):
        pass


@contextmanager
def fresh(mortal: servers.MortalServer) -> Iterator[str]:
    name = f"t_{uuid.uuid4().hex}"
    mortal.create_database(name, servers.TEMPLATE)
    yield name
    mortal.drop_database(name)


def seconds_of(mortal: servers.MortalServer, call: str) -> float:
    """How long a call takes when nobody disturbs it."""
    with fresh(mortal) as game:
        make_ready(mortal.dsn_of(game), call)
        with psycopg.connect(mortal.dsn_of(game, "t_admin"), autocommit=True) as admin:
            began = time.monotonic()
            admin.execute(CALLS[call].encode())
            return time.monotonic() - began


def make_ready(dsn: str, call: str) -> None:
    prepare(dsn)
    record(dsn, range(BATCHES))
    if call == "backfill":
        with psycopg.connect(dsn, autocommit=True) as connection:
            refresh(connection)


def killed_during(mortal: servers.MortalServer, game: str, call: str, after: float) -> bool:
    """Kill the server so many seconds after the call has begun; whether that was before its end."""
    ended: list[bool] = []

    def run() -> None:
        with suppress(psycopg.OperationalError), admin:
            admin.execute(CALLS[call].encode())
            ended.append(True)

    busy = """select count(*) from pg_stat_activity
    where pid = %s and state = 'active' and query like '%%from awf.%%'"""
    with suppress(psycopg.OperationalError), psycopg.connect(mortal.dsn_of(game), autocommit=True) as watcher:
        admin = psycopg.connect(mortal.dsn_of(game, "t_admin"), autocommit=True)
        thread = threading.Thread(target=run)
        thread.start()
        wait_until(
            lambda: bool(ended) or watcher.execute(busy, [admin.info.backend_pid]).fetchone() == (1,),
            "the call to begin",
        )
        time.sleep(after)
        mortal.kill()
        thread.join(30)
    return not ended


@pytest.mark.parametrize("call", list(CALLS))
def test_server_killed_during(mortal: servers.MortalServer, call: str) -> None:
    usual = seconds_of(mortal, call)
    interrupted = 0
    for round_ in range(ROUNDS):
        with fresh(mortal) as game:
            make_ready(mortal.dsn_of(game), call)
            # The first one for certain in its midst.
            after = 0 if round_ == 0 else random.uniform(0, usual)
            interrupted += killed_during(mortal, game, call, after)
            mortal.start()
            with psycopg.connect(mortal.dsn_of(game), autocommit=True) as owner:
                waiting = "select count(*) from awf.ingest_log where rolled_up_at is null"
                if owner.execute(waiting).fetchone() == (0,):
                    recount.assert_equal(owner)  # All of it, or, before a backfill, all that was.
                else:
                    assert owner.execute("select count(*) from awf.daily_totals").fetchone() == (0,)
                refresh(owner)
                owner.execute(CALLS[call].encode())
                recount.assert_equal(owner)
                assert owner.execute("select count(*) from awf.turn_events").fetchone() == (BATCHES * EVENTS,)
    assert interrupted


def copied(server: servers.Server, dsn: str, file: Path) -> None:
    subprocess.run([server.tool("pg_dump"), "-Fc", "-f", str(file), dsn], check=True)


def test_waiting_batches_are_rolled_up_where_they_are_restored(
    server: servers.Server, db: str, mortal: servers.MortalServer, tmp_path: Path
) -> None:
    prepare(db)
    record(db, range(2))
    with psycopg.connect(db, autocommit=True) as connection:
        refresh(connection)
    record(db, range(2, 4))
    dump = tmp_path / "game.dump"
    copied(server, db, dump)
    name = f"t_{uuid.uuid4().hex}"
    mortal.create_database(name)
    dsn = mortal.dsn_of(name)
    try:
        subprocess.run([server.tool("pg_restore"), "-d", dsn, str(dump)], check=True)
        record(dsn, range(4, 5))
        record_directly(mortal.dsn_of(name, "t_writer"), 60)
        with psycopg.connect(dsn, autocommit=True) as restored:
            assert restored.execute("select awf.analytics_stats() #> '{batches,waiting}'").fetchone() != (0,)
            refresh(restored)
            recount.assert_equal(restored)
            assert restored.execute("select count(*) from awf.turn_events").fetchone() == (5 * EVENTS + 60,)
            restored.execute(CALLS["backfill"].encode())
            recount.assert_equal(restored)
    finally:
        mortal.drop_database(name)


def record_directly(dsn: str, events: int) -> None:
    writer = Writer(Source(dsn, None, "test"))
    moment = FIRST + timedelta(hours=3)
    made = [
        Event(
            f"s-{n}",
            bytes(32),
            "w-1",
            "a-1",
            assignments=(("by-session", "x"),),
            metrics={"acts": n},
            ts=moment,
        )
        for n in range(events)
    ]
    assert writer.write(made).path == "direct"
    writer.close()
